import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fairLevel, ThrottledError, throttleProbability } from '../../../src/core/domain/overload.ts';
import type { VersionSpec } from '../../../src/core/domain/version-spec.ts';
import { createScheduling } from '../../../src/services/scheduler/index.ts';
import { MachinePressure } from '../../../src/services/scheduler/machine-pressure.ts';
import { OVERLOAD_DEFAULTS, OverloadGuard } from '../../../src/services/scheduler/overload.ts';
import { World } from './world.ts';

interface Caller {
  readonly account: string;
  readonly key: string;
  readonly perSecond: number;
}

interface Seen {
  offered: number;
  admitted: number;
  readonly waits: number[];
}

/**
 * A server of one queue in simulated time: a call costs `costMs`, a refusal a fiftieth of it; the delay of the queue is what the
 * guard is told. Counts from `fromMs` on.
 */
function serve(callers: readonly Caller[], options: { costMs: number; ms: number; fromMs: number; guarded: boolean }) {
  const guard = new OverloadGuard();
  const seen = new Map<string, Seen>(callers.map(({ key }) => [key, { offered: 0, admitted: 0, waits: [] }]));
  const arrivals = callers.flatMap((caller, i) => {
    const gap = 1_000 / caller.perSecond;
    return Array.from({ length: Math.floor(options.ms / gap) }, (_, n) => ({ at: n * gap + i * 0.01, caller }));
  });
  arrivals.sort((a, b) => a.at - b.at);
  let busyUntil = 0;
  let sampled = 0;
  let draw = 0.5;
  for (const { at, caller } of arrivals) {
    for (; sampled + 10 <= at; sampled += 10) guard.observe(Math.max(0, busyUntil - sampled - 10), sampled + 10);
    draw = (draw * 997 + 0.123) % 1;
    const admitted = guard.admit(caller.account, caller.key, at, draw) || !options.guarded;
    const wait = Math.max(0, busyUntil - at);
    busyUntil = Math.max(busyUntil, at) + options.costMs * (admitted ? 1 : 0.02);
    const counts = seen.get(caller.key);
    if (counts === undefined || at < options.fromMs) continue;
    counts.offered++;
    if (admitted) {
      counts.admitted++;
      counts.waits.push(wait);
    }
  }
  return { seen, guard };
}

function p99(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? 0;
}

const SMALL: Caller = { account: 'a', key: 'a/small', perSecond: 40 };
// the server takes 1,000 calls a second, of which half is everybody's share: this is 20 times that
const HEAVY: Caller = { account: 'a', key: 'a/heavy', perSecond: 10_000 };
// what queued up before the guard saw it takes a while to go
const RUN = { costMs: 1, ms: 40_000, fromMs: 20_000 };

test('a small caller beside one far over its share is let in whole and waits little', () => {
  const { seen } = serve([SMALL, HEAVY], { ...RUN, guarded: true });
  const small = seen.get(SMALL.key);
  assert.ok(small !== undefined && small.admitted >= 0.95 * small.offered, `${small?.admitted} of ${small?.offered}`);
  assert.ok(p99(small.waits) <= 50, `waits ${p99(small.waits)} ms`);
  const heavy = seen.get(HEAVY.key);
  assert.ok(heavy !== undefined && heavy.admitted < 0.1 * heavy.offered && heavy.admitted > 0.04 * heavy.offered);
});

test('without the guard the same caller would wait without end', () => {
  const { seen } = serve([SMALL, HEAVY], { ...RUN, guarded: false });
  assert.ok(p99(seen.get(SMALL.key)?.waits ?? []) > 1_000);
});

test('an account of many functions gets no more than an account of one', () => {
  const many = Array.from({ length: 10 }, (_, i) => ({ account: 'b', key: `b/${i}`, perSecond: 300 }));
  const one = { account: 'a', key: 'a/one', perSecond: 300 };
  const { seen } = serve([one, ...many], { ...RUN, guarded: true });
  const share = (seen.get('a/one')?.admitted ?? 0) / (seen.get('a/one')?.offered ?? 1);
  assert.ok(share > 0.9, `${share}`);
});

test('a caller alone is never throttled, nor anybody when the delay is below the target', () => {
  const alone = serve([HEAVY], { ...RUN, guarded: true }).seen.get(HEAVY.key);
  assert.equal(alone?.admitted, alone?.offered);
  const quiet = serve([SMALL, { ...HEAVY, perSecond: 700 }], { ...RUN, guarded: true });
  for (const counts of quiet.seen.values()) assert.equal(counts.admitted, counts.offered);
});

test('a short burst throttles nobody, and when overload is over the bound is lifted', () => {
  const guard = new OverloadGuard();
  for (let now = 0; now < 250; now += 10) {
    for (let i = 0; i < 20; i++) assert.ok(guard.admit('a', 'a/heavy', now, 0));
    assert.ok(guard.admit('a', 'a/small', now, 0));
    guard.observe(50, now);
  }
  for (let now = 250; now < 2_000; now += 10) {
    for (let i = 0; i < 20; i++) guard.admit('a', 'a/heavy', now, 0);
    guard.admit('a', 'a/small', now, 0);
    guard.observe(50, now);
  }
  assert.ok(guard.active);
  // the same calls, and nothing waits any more
  for (let now = 2_000; now < 20_000; now += 10) guard.observe(0, now);
  assert.ok(!guard.active);
});

test('the probability grows with the load and never reaches the callers below the bound', () => {
  const number = fc.double({ min: 0.1, max: 1e6, noNaN: true });
  fc.assert(
    fc.property(number, number, number, (a, b, allowed) => {
      const [low, high] = [Math.min(a, b), Math.max(a, b)];
      assert.ok(throttleProbability(low, allowed) <= throttleProbability(high, allowed));
      assert.ok(throttleProbability(high, allowed) < 1);
      if (low <= allowed) assert.equal(throttleProbability(low, allowed), 0);
    }),
  );
});

test('fair levels: all of the capacity is given, nobody wants more than he gets while another has more', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 1, maxLength: 20 }),
      fc.nat(5_000),
      (demands, capacity) => {
        const level = fairLevel(demands, capacity);
        const given = demands.map((demand) => Math.min(demand, level));
        const sum = given.reduce((a, b) => a + b, 0);
        const wanted = demands.reduce((a, b) => a + b, 0);
        if (wanted <= capacity) assert.equal(level, Number.POSITIVE_INFINITY);
        else assert.ok(Math.abs(sum - capacity) < 1e-6, `${sum} of ${capacity}`);
      },
    ),
  );
});

/**
 * Two CPUs that take calls of `costMs` in turns, in simulated time; the server itself has processors enough, so that its own
 * delay stays zero. Counts from `fromMs` on.
 */
function compute(callers: readonly Caller[], options: { costMs: number; ms: number; fromMs: number; told: boolean }) {
  const guard = new OverloadGuard();
  const machines = new MachinePressure();
  const seen = new Map<string, Seen>(callers.map(({ key }) => [key, { offered: 0, admitted: 0, waits: [] }]));
  let queued = 0;
  let draw = 0.5;
  let deepest = 0;
  for (let now = 0; now < options.ms; now++) {
    queued = Math.max(0, queued - CPUS / options.costMs);
    if (now % 10 === 0) guard.observe(0, now);
    if (now >= options.fromMs) deepest = Math.max(deepest, queued / CPUS);
    if (now % 1_000 === 0 && options.told) {
      machines.take('node', { runnablePerCpu: queued / CPUS, waiting: queued > CPUS ? 1 : 0 }, now);
      if (machines.everywhere(now)) guard.press(now);
    }
    for (const { account, key, perSecond } of callers) {
      const due = Math.floor(((now + 1) * perSecond) / 1_000) - Math.floor((now * perSecond) / 1_000);
      for (let i = 0; i < due; i++) {
        draw = (draw * 997 + 0.123) % 1;
        const admitted = guard.admit(account, key, now, draw);
        if (admitted) queued++;
        const counts = seen.get(key);
        if (counts === undefined || now < options.fromMs) continue;
        counts.offered++;
        if (admitted) counts.admitted++;
      }
    }
  }
  return { seen, guard, deepest };
}

const CPUS = 2;
// two CPUs take 400 of these calls a second
const COMPUTE = { costMs: 5, ms: 60_000, fromMs: 30_000 };

test('processors short for seconds: the heavy caller loses calls, the small one none, and the machine has less to do', () => {
  const callers = [SMALL, { ...HEAVY, perSecond: 2_000 }];
  const { seen, deepest } = compute(callers, { ...COMPUTE, told: true });
  const small = seen.get(SMALL.key);
  assert.equal(small?.admitted, small?.offered);
  const heavy = seen.get(HEAVY.key);
  assert.ok(heavy !== undefined && heavy.admitted < 0.25 * heavy.offered, `${heavy?.admitted} of ${heavy?.offered}`);
  assert.ok(heavy.admitted > 0.02 * heavy.offered);
  const untold = compute(callers, { ...COMPUTE, told: false });
  assert.equal(untold.seen.get(HEAVY.key)?.admitted, untold.seen.get(HEAVY.key)?.offered);
  assert.ok(deepest < untold.deepest / 10, `${deepest} instead of ${untold.deepest} tasks for a CPU`);
});

test('a machine that is busy throttles nobody, nor does a caller alone on one that is short', () => {
  const busy = compute([SMALL, { ...HEAVY, perSecond: 350 }], { ...COMPUTE, told: true });
  for (const counts of busy.seen.values()) assert.equal(counts.admitted, counts.offered);
  const alone = compute([{ ...HEAVY, perSecond: 2_000 }], { ...COMPUTE, told: true }).seen.get(HEAVY.key);
  assert.equal(alone?.admitted, alone?.offered);
});

test('as long as one machine has processors left there is no pressure; silent ones do not count', () => {
  const machines = new MachinePressure();
  const deep = { runnablePerCpu: 40, waiting: 1 };
  for (const now of [0, 1_000, 2_000, 3_000]) {
    machines.take('a', deep, now);
    machines.take('b', { runnablePerCpu: 1, waiting: 0.2 }, now);
  }
  assert.equal(machines.everywhere(3_000), false);
  for (const now of [4_000, 5_000, 6_000, 7_000]) machines.take('a', deep, now);
  assert.equal(machines.everywhere(7_000), true);
  assert.equal(machines.everywhere(60_000), false);
});

test('what nodes tell reaches the calls: who sends more than its share is refused, by reason', async () => {
  const world = new World();
  const scheduling = createScheduling({ ...world.parts(), epoch: 1, limits: {} });
  await scheduling.start();
  const [heavy, small] = [world.catalog.put('heavy'), world.catalog.put('small')];
  const signal = new AbortController().signal;
  const refused = { heavy: 0, small: 0 };
  const call = (spec: VersionSpec, name: 'heavy' | 'small'): void => {
    const now = scheduling.acquireNow(spec, name);
    if (now !== undefined) return now.release('ok');
    scheduling.acquire(spec, name, signal).then(
      (lease) => lease.release('ok'),
      (error: unknown) => {
        assert.ok(error instanceof ThrottledError && error.reason === 'overload', String(error));
        refused[name]++;
      },
    );
  };
  for (let second = 0; second < 12; second++) {
    for (let i = 0; i < 50; i++) {
      for (let n = 0; n < 20; n++) call(heavy, 'heavy');
      if (i % 5 === 0) call(small, 'small');
      await world.clock.advance(20);
    }
    if (second === 3) assert.deepEqual(refused, { heavy: 0, small: 0 });
    world.pool.press('node', { runnablePerCpu: 30, waiting: 1 });
  }
  await world.clock.advance(10_000);
  assert.equal(refused.small, 0);
  assert.ok(refused.heavy > 1_000, `${refused.heavy}`);
  await scheduling.close();
});

test('nobody is let in more until the next word of the machines is due', () => {
  const guard = new OverloadGuard();
  guard.admit('a', 'a/heavy', 0, 0);
  guard.admit('a', 'a/small', 0, 0);
  guard.press(0);
  for (let now = 0; now < OVERLOAD_DEFAULTS.pressedMs; now += 10) {
    guard.observe(0, now);
    assert.ok(guard.active, `at ${now}`);
  }
  for (let now = OVERLOAD_DEFAULTS.pressedMs; now < OVERLOAD_DEFAULTS.pressedMs + 200; now += 10) guard.observe(0, now);
  assert.ok(!guard.active);
});
