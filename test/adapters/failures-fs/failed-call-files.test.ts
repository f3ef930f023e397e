import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openFailedCalls } from '../../../src/adapters/failures-fs/index.ts';
import { silentLogger } from '../../../src/core/base/log.ts';
import { failedCallsSuite } from '../../../src/core/ports/failed-calls.suite.ts';
import { SimulatedClock } from '../../services/scheduler/simulated-clock.ts';
import { killAfterLines } from '../killed-child.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { temporaryVault } from '../temporary-vault.ts';

const BOUNDS = { payloadBytes: 65_536, perFunction: 100, bytes: 1_048_576, keptMs: 60_000 };
const CALL = { account: '1', functionName: 'f', qualifier: 'LATEST', requestId: 'one', payload: Buffer.from('x') };

async function bytesIn(dir: string): Promise<number> {
  const names = await readdir(dir, { recursive: true }).catch(() => []);
  const stats = await Promise.all(names.map((name) => stat(join(dir, name))));
  return stats.filter((each) => each.isFile()).reduce((sum, each) => sum + each.size, 0);
}

failedCallsSuite('failures-fs', async (context) => {
  const dir = join(await temporaryFolder(context), 'failed');
  const clock = new SimulatedClock();
  let passed = 0;
  const now = (): number => clock.now() + passed;
  const options = { dir, clock: { now, monotonic: () => 0, after: clock.after.bind(clock) }, logger: silentLogger };
  return {
    open: (bounds) => openFailedCalls({ ...options, bounds }),
    bytes: () => bytesIn(dir),
    pass: (ms) => void (passed += ms),
    now,
    async crash() {
      await killAfterLines(new URL('./endless-keeper.ts', import.meta.url), [dir, String(now())], 9);
    },
  };
});

test('sealed, no byte of a payload is on disk in the clear, and it is found again', async (context) => {
  const dir = join(await temporaryFolder(context), 'failed');
  const clock = new SimulatedClock();
  const vault = await temporaryVault(context);
  const options = { dir, bounds: BOUNDS, clock, logger: silentLogger, vault };
  const calls = await openFailedCalls(options);
  calls.keep({ ...CALL, at: clock.now(), payload: Buffer.from('a personal secret') });
  await calls.close();
  for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
    const path = join(dir, name);
    if (statSync(path).isFile()) assert.equal(readFileSync(path).includes('personal'), false, name);
  }
  const again = await openFailedCalls(options);
  assert.equal(Buffer.from((await again.find('1', 'one'))?.payload ?? []).toString(), 'a personal secret');
  await again.close();
});

test('readable by the owner alone; half-written and foreign files do no harm', async (context) => {
  const dir = join(await temporaryFolder(context), 'failed');
  const clock = new SimulatedClock();
  const options = { dir, bounds: BOUNDS, clock, logger: silentLogger };
  const calls = await openFailedCalls(options);
  calls.keep({ ...CALL, at: clock.now() });
  await calls.close();
  const [folder = ''] = readdirSync(dir);
  const [file = ''] = readdirSync(join(dir, folder));
  for (const path of [dir, join(dir, folder)]) assert.equal(statSync(path).mode & 0o777, 0o700);
  assert.equal(statSync(join(dir, folder, file)).mode & 0o777, 0o600);
  writeFileSync(join(dir, folder, `${file}.new`), 'half');
  mkdirSync(join(dir, 'foreign'));
  writeFileSync(join(dir, 'README'), 'foreign');
  const next = await openFailedCalls(options);
  assert.deepEqual(readdirSync(join(dir, folder)), [file]);
  assert.equal((await next.find('1', 'one'))?.requestId, 'one');
  await next.close();
});

test('written within its time, unasked; nothing is kept any more once it is closed', async (context) => {
  const dir = join(await temporaryFolder(context), 'failed');
  const clock = new SimulatedClock();
  const calls = await openFailedCalls({ dir, bounds: BOUNDS, clock, logger: silentLogger });
  calls.keep({ ...CALL, at: clock.now() });
  assert.equal(await bytesIn(dir), 0);
  await clock.advance(200);
  await calls.close();
  assert.ok((await bytesIn(dir)) > 0);
  calls.keep({ ...CALL, requestId: 'two', at: clock.now() });
  assert.equal(await calls.find('1', 'two'), undefined);
});
