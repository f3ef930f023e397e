import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

// The entry stays light: what a command needs is loaded when it runs. `version` needs nothing at all.
const args = process.argv.slice(2);
const wantsHelp = args.includes('--help') || args.includes('-h');

if (['version', '--version', '-V'].includes(args[0] ?? '') && !wantsHelp) {
  const path = join(import.meta.dirname, '../../../package.json');
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string };
  const json = args.includes('--json');
  process.stdout.write(json ? `${JSON.stringify({ version, node: process.versions.node })}\n` : `${version}\n`);
} else if (args[0] === 'up' && !wantsHelp) {
  // The supervisor is a program of its own: it takes this process over.
  const entry = join(import.meta.dirname, '..', 'up', `main${extname(fileURLToPath(import.meta.url))}`);
  process.argv = [process.execPath, entry, ...args.slice(1)];
  await import(pathToFileURL(entry).href);
} else {
  const { run } = await import('./program.ts');
  process.exitCode = await run(args);
}
