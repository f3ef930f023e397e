#!/usr/bin/env node
// The command. Runs on any Node: where it is older than 24 it hands over to the Node that came with the packages.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

if (Number.parseInt(process.versions.node, 10) >= 24 && process.env.NODE_EXTRA_CA_CERTS === undefined) {
  const main = join(root, 'dist/apps/cli/main.js');
  if (!existsSync(main)) {
    console.error('tidemill: not built yet; run: npm run build');
    process.exit(1);
  }
  await import(main);
} else {
  // A CA bundle in the environment triples Node's start; nothing of ours calls out with it.
  const env = { ...process.env };
  delete env.NODE_EXTRA_CA_CERTS;
  const { spawn } = await import('node:child_process');
  const child = spawn(nodeForUs(), [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env,
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`tidemill: cannot start ${error.path}: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 1));
}

function nodeForUs() {
  if (Number.parseInt(process.versions.node, 10) >= 24) return process.execPath;
  const require = createRequire(import.meta.url);
  for (const name of [`node-linux-${process.arch}`]) {
    try {
      return join(dirname(require.resolve(`${name}/package.json`)), 'bin/node');
    } catch {
      // not for this platform
    }
  }
  console.error(`tidemill: needs Node 24 or newer (this is ${process.versions.node}), and none came with the packages`);
  process.exit(1);
}
