import type { Random } from '../../src/core/base/random.ts';

/** The same numbers for the same seed (mulberry32), so that a simulation repeats exactly. */
export class Seeded implements Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => Math.floor(this.float() * 256));
  }

  float(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }
}
