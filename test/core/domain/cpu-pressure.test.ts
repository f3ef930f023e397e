import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  CPU_PRESSURE,
  type CpuPressure,
  type CpuReading,
  pressureAfter,
  underPressure,
} from '../../../src/core/domain/cpu-pressure.ts';

/** Pressure right after each reading of a series, one a second. */
function judged(readings: readonly CpuReading[]): boolean[] {
  let pressure: CpuPressure | undefined;
  return readings.map((reading, second) => {
    pressure = pressureAfter(pressure, reading, second * 1_000);
    return underPressure(pressure, second * 1_000);
  });
}

function depths(...runnablePerCpu: number[]): CpuReading[] {
  return runnablePerCpu.map((depth) => ({ runnablePerCpu: depth, waiting: 1 }));
}

const TABLE: readonly (readonly [what: string, readings: readonly CpuReading[], pressed: readonly boolean[]])[] = [
  ['deep for three seconds', depths(20, 20, 20, 20, 20), [false, false, false, true, true]],
  ['a second of starts', depths(2, 100, 2, 2), [false, false, false, false]],
  ['starts again and again', depths(100, 100, 100, 3, 100, 100, 100, 3), Array(8).fill(false)],
  ['busy, not deep', depths(15, 15, 15, 15, 15), Array(5).fill(false)],
  ['no flapping around the bound', depths(17, 17, 17, 17, 13, 15, 12), [false, false, false, true, true, true, true]],
  ['over at once when it is', depths(17, 17, 17, 17, 11, 17), [false, false, false, true, false, false]],
  [
    'many runnable, none of them waits: as many CPUs as tasks',
    Array.from({ length: 5 }, () => ({ runnablePerCpu: 20, waiting: 0.1 })),
    Array(5).fill(false),
  ],
  [
    'a kernel that does not tell who waits',
    Array.from({ length: 4 }, () => ({ runnablePerCpu: 20 })),
    [false, false, false, true],
  ],
];

for (const [what, readings, pressed] of TABLE) {
  test(`pressure of processors: ${what}`, () => assert.deepEqual(judged(readings), pressed));
}

test('pressure expires without readings, and readings after a gap begin anew', () => {
  let pressure: CpuPressure | undefined;
  for (const now of [0, 1_000, 2_000, 3_000]) pressure = pressureAfter(pressure, { runnablePerCpu: 30 }, now);
  const last = 3_000;
  assert.equal(underPressure(pressure, last + CPU_PRESSURE.expiresMs), true);
  assert.equal(underPressure(pressure, last + CPU_PRESSURE.expiresMs + 1), false);
  const after = last + CPU_PRESSURE.expiresMs + 1;
  pressure = pressureAfter(pressure, { runnablePerCpu: 30 }, after);
  assert.deepEqual(pressure, { at: after, since: after });
  assert.equal(underPressure(undefined, 0), false);
});

test('whatever is read when: pressure only after deep readings that span the time, each close to the next', () => {
  const steps = fc.array(
    fc.record({
      gap: fc.integer({ min: 1, max: 5_000 }),
      runnablePerCpu: fc.integer({ min: 0, max: 40 }),
      waiting: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
    }),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(steps, (series) => {
      let pressure: CpuPressure | undefined;
      let now = 0;
      let deepSince: number | undefined;
      for (const { gap, runnablePerCpu, waiting } of series) {
        now += gap;
        const reading = waiting === undefined ? { runnablePerCpu } : { runnablePerCpu, waiting };
        pressure = pressureAfter(pressure, reading, now);
        const deepEnough = runnablePerCpu >= CPU_PRESSURE.relievedPerCpu && (waiting ?? 1) >= CPU_PRESSURE.waiting;
        if (!deepEnough) deepSince = undefined;
        else if (deepSince === undefined || gap > CPU_PRESSURE.expiresMs) deepSince = now;
        if (underPressure(pressure, now)) {
          assert.ok(deepSince !== undefined && now - deepSince >= CPU_PRESSURE.sustainedMs);
        }
      }
    }),
  );
});
