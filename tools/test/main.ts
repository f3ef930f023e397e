import { globSync } from 'node:fs';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { connect, environmentOf } from '../../conformance/start.ts';
import { leftBehind } from './left-behind.ts';

/**
 * Passes every test: house rules and units first, then the unmodified clients against the built platform, then a look for
 * anything left behind. Closes with the line `N passed, N failed, N skipped`. With arguments, runs only the files whose path contains one.
 */
const wanted = process.argv.slice(2);
const totals = { passed: 0, failed: 0, skipped: 0 };

function filesOf(pattern: string): string[] {
  const files = globSync(pattern, { cwd: process.cwd() }).sort();
  return wanted.length === 0 ? files : files.filter((file) => wanted.some((part) => file.includes(part)));
}

/** Runs files, each in a process of its own, and adds up what came out. */
async function phase(name: string, files: readonly string[], concurrency: number): Promise<void> {
  if (files.length === 0) return;
  console.log(`\n== ${name}: ${files.length} files`);
  const stream = run({ files: [...files], concurrency, timeout: 240_000 });
  stream.on('test:summary', ({ file, counts }) => {
    if (file !== undefined) return; // of one file; the last summary holds all
    totals.passed += counts.passed;
    totals.skipped += counts.skipped + counts.todo;
    totals.failed += counts.tests - counts.passed - counts.skipped - counts.todo;
  });
  const report = stream.compose(new spec());
  report.pipe(process.stdout, { end: false });
  await new Promise((resolve, reject) => {
    report.on('end', resolve);
    report.on('error', reject);
  });
}

const started = performance.now();
await phase('units, ports and house rules', filesOf('test/**/*.test.ts'), 2);
const clients = filesOf('conformance/**/*.test.ts');
if (clients.length > 0) {
  const platform = await connect();
  Object.assign(process.env, environmentOf(platform));
  try {
    await phase('unmodified clients against the running platform', clients, 2);
  } finally {
    const look = leftBehind(platform.data);
    await platform.close();
    const leaks = await look();
    for (const leak of leaks) console.log(`left behind: ${leak}`);
    totals[leaks.length === 0 ? 'passed' : 'failed']++;
  }
}
console.log(`\nin ${((performance.now() - started) / 1000).toFixed(0)} s`);
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exit(totals.failed === 0 && totals.passed > 0 ? 0 : 1);
