import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openFactLog } from '../../../src/adapters/facts-sqlite/index.ts';
import { toDisposable } from '../../../src/core/base/disposable.ts';

const dir = process.argv[2] ?? '';
const ballast = join(dir, 'ballast');
writeFileSync(ballast, new Uint8Array(1_500_000));
const clock = { now: () => 0, monotonic: () => 0, after: () => toDisposable(() => {}) };
let reported = false;
const log = await openFactLog({
  path: join(dir, 'facts.db'),
  clock,
  log: {
    log() {
      reported = true;
    },
  },
});
let failure = '';
let appended = 0;
try {
  for (;;) {
    log.append({
      type: 'output-written',
      at: appended++,
      account: 'a',
      functionName: 'f',
      requestId: 'r',
      instanceId: 'i',
      versionId: '1',
      text: 'x'.repeat(10_000),
    });
    await log.flush();
  }
} catch (error) {
  failure = String(error);
}
rmSync(ballast);
await log.flush();
const { facts } = await log.read({ account: 'a', functionName: 'f', limit: 1e6 });
await log.close();
process.stdout.write(JSON.stringify({ failure, reported, appended, readable: facts.length }));
