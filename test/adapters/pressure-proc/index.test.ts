import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CpuPressureReader } from '../../../src/adapters/pressure-proc/index.ts';
import { systemClock } from '../../../src/adapters/clock-system/index.ts';
import { SimulatedClock } from '../../services/scheduler/simulated-clock.ts';

function files(context: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-pressure-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const at = (name: string) => join(folder, name);
  return {
    paths: { loadavg: at('loadavg'), pressure: [at('own'), at('group')] },
    loadavg: (runnable: number) => writeFileSync(at('loadavg'), `21.75 19.42 20.10 ${runnable}/2105 29839\n`),
    waited: (name: 'own' | 'group', micros: number) =>
      writeFileSync(
        at(name),
        `some avg10=84.97 avg60=86.27 avg300=80.58 total=${micros}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n`,
      ),
  };
}

test('runnable tasks per CPU without the one that reads, and the share of time in which some waited', async (context) => {
  const clock = new SimulatedClock();
  const { paths, loadavg, waited } = files(context);
  loadavg(9);
  waited('own', 1_000_000);
  const reader = new CpuPressureReader(clock, paths, 2);
  waited('own', 1_600_000);
  await clock.advance(1_000);
  assert.deepEqual(reader.read(), { runnablePerCpu: 4, waiting: 0.6 });
  loadavg(1);
  await clock.advance(1_000);
  assert.deepEqual(reader.read(), { runnablePerCpu: 0, waiting: 0 });
  // two readings at the same moment: nothing is known of the time between
  assert.deepEqual(reader.read(), { runnablePerCpu: 0 });
});

test('what the control group says where the machine does not, and only the queue where neither does', async (context) => {
  const clock = new SimulatedClock();
  const grouped = files(context);
  grouped.loadavg(33);
  grouped.waited('group', 0);
  const ofGroup = new CpuPressureReader(clock, grouped.paths, 2);
  grouped.waited('group', 900_000);
  await clock.advance(1_000);
  assert.deepEqual(ofGroup.read(), { runnablePerCpu: 16, waiting: 0.9 });
  const bare = files(context);
  bare.loadavg(33);
  const queueOnly = new CpuPressureReader(clock, bare.paths, 2);
  await clock.advance(1_000);
  assert.deepEqual(queueOnly.read(), { runnablePerCpu: 16 });
});

test('a kernel that tells nothing, or something else, gives no reading', (context) => {
  const { paths } = files(context);
  assert.equal(new CpuPressureReader(systemClock, paths, 2).read(), undefined);
  writeFileSync(paths.loadavg, 'unreadable\n');
  assert.equal(new CpuPressureReader(systemClock, paths, 2).read(), undefined);
});

test('this machine can be read', () => {
  const reading = new CpuPressureReader(systemClock).read();
  assert.ok(reading !== undefined && reading.runnablePerCpu >= 0);
});
