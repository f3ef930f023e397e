import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from './start.ts';

/**
 * Runs conformance suites against one platform: `node conformance/main.ts [folder ...]`, e.g. `fc`. Without folders: all.
 * Single files also run alone (`node --test conformance/fc/functions.test.ts`); each then starts a platform of its own.
 */
const folders = process.argv.slice(2);
const files = (folders.length === 0 ? ['*'] : folders).flatMap((folder) =>
  globSync(join(import.meta.dirname, folder, '*.test.ts')),
);
if (files.length === 0) throw new Error(`no test files in ${folders.join(', ')}`);
const platform = await connect();
try {
  const child = spawn(process.execPath, ['--test', '--test-concurrency=2', '--test-timeout=300000', ...files.sort()], {
    stdio: 'inherit',
    env: {
      ...process.env,
      TIDEMILL_ENDPOINT: platform.endpoint,
      TIDEMILL_OBJECTS_ENDPOINT: platform.objectsEndpoint,
      TIDEMILL_ACCESS_KEY_ID: platform.accessKeyId,
      TIDEMILL_ACCESS_KEY_SECRET: platform.accessKeySecret,
    },
  });
  process.exitCode = await new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
} finally {
  await platform.close();
}
