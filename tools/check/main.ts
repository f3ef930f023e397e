import { deadCode, format, lint, types } from './commands.ts';
import { dependencies } from './dependencies.ts';
import type { Gate } from './gate.ts';
import { layering } from './layering.ts';
import { sizes } from './sizes.ts';

const GATES: readonly Gate[] = [layering, sizes, types, format, lint, deadCode, dependencies];
const root = process.cwd();
const wanted = process.argv.slice(2);

let failed = false;
for (const gate of GATES) {
  if (wanted.length > 0 && !wanted.includes(gate.name)) continue;
  const { looked, findings } = await gate.run(root);
  if (looked === 0) console.error(`${gate.name}: looked at no file, so it holds nothing`);
  const bad = findings.length > 0 || looked === 0;
  failed ||= bad;
  console.log(`${bad ? 'FAIL' : 'ok  '} ${gate.name} (${looked} files)`);
  for (const { file, line, message } of findings) console.log(`     ${file}:${line} ${message}`);
}
process.exitCode = failed ? 1 : 0;
