import type { Load, SimulatedCall } from './load.ts';
import { Seeded } from './seeded.ts';

const MINUTE = 60_000;

/** 1,000 calls inside 100 ms to a function of 10 ms, three times, a minute apart. */
export function burstLoad(): Load {
  const calls: SimulatedCall[] = [];
  for (let burst = 0; burst < 3; burst++) {
    for (let i = 0; i < 1_000; i++) calls.push({ at: 1_000 + burst * MINUTE + i * 0.1, function: 0, execMs: 10 });
  }
  return {
    functions: [{ name: 'burst', memoryMb: 128, timer: false }],
    calls,
    announcements: [],
    lengthMs: 3 * MINUTE,
  };
}

/**
 * Two days of ten functions whose rates rise and fall with the hour (between nothing and a peak that differs from function to
 * function), as Poisson processes, with exponential durations of 200 ms in the mean.
 */
export function diurnalLoad(seed: number): Load {
  const random = new Seeded(seed);
  const day = 24 * 60 * MINUTE;
  const calls: SimulatedCall[] = [];
  const functions = Array.from({ length: 10 }, (_, i) => ({ name: `wave${i}`, memoryMb: 128, timer: false }));
  for (let index = 0; index < functions.length; index++) {
    const peak = 0.0002 * 2 ** (index / 1.5);
    const shift = random.float() * 0.2;
    for (let at = 0; ; ) {
      at += -Math.log(1 - random.float()) / peak;
      if (at >= 2 * day) break;
      const height = (1 - Math.cos(2 * Math.PI * (at / day - shift))) / 2;
      if (random.float() < height ** 2) {
        calls.push({ at, function: index, execMs: Math.max(1, -200 * Math.log(1 - random.float())) });
      }
    }
  }
  calls.sort((a, b) => a.at - b.at);
  return { functions, calls, announcements: [], lengthMs: 2 * day };
}
