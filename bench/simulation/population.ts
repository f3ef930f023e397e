import { decide } from '../../src/services/scheduler/core.ts';
import { createSchedulerState, type SchedulerState } from '../../src/services/scheduler/state.ts';
import type { VersionShape } from '../../src/services/scheduler/events.ts';
import { shapeOf } from './load.ts';
import { Seeded } from './seeded.ts';

const CALLS = 200_000;

/**
 * So many functions, each with one idle instance, called as real ones are: few of them get most calls (Zipf with exponent 1,
 * which is milder to us than the field: in the Azure trace 1 % of the functions get more than 90 %), all in random order.
 */
export class Population {
  readonly functions: number;
  readonly bytesPerFunction: number;
  private readonly state: SchedulerState;
  private readonly shapes: readonly VersionShape[];
  private readonly picks: Uint32Array;
  private now = 1;
  private request = 1;

  constructor(functions: number, seed: number) {
    this.functions = functions;
    const random = new Seeded(seed);
    const before = process.memoryUsage().heapUsed;
    this.state = createSchedulerState({ epoch: 1, now: 0, settings: { instancesPerAccount: functions } });
    this.shapes = Array.from({ length: functions }, (_, i) =>
      shapeOf({ name: `f${i}`, memoryMb: 128, timer: false }, 'learnt'),
    );
    for (const version of this.shapes) {
      decide(this.state, { type: 'adopted', instance: this.state.nextInstance++, version, busy: 0 }, 0);
      this.state.effects.length = 0;
    }
    this.bytesPerFunction = Math.round((process.memoryUsage().heapUsed - before) / functions);
    // Zipf by its inverse: rank = functions ** u; the ranks are shuffled over the functions by a multiplication.
    this.picks = Uint32Array.from({ length: CALLS }, () =>
      Number((BigInt(Math.floor(functions ** random.float()) - 1) * 2_654_435_761n) % BigInt(functions)),
    );
  }

  /** Processor time of the scheduler core for one warm call, lease and release, microseconds. */
  microsPerCall(): number {
    const { state, shapes, picks } = this;
    const begin = process.cpuUsage();
    for (const pick of picks) {
      const version = shapes[pick];
      if (version === undefined) continue;
      this.now += 0.002;
      const request = this.request++;
      decide(state, { type: 'enqueue', request, version, wait: true }, this.now);
      state.effects.length = 0;
      decide(state, { type: 'released', request, epoch: 1, outcome: 'ok' }, this.now + 0.001);
    }
    const spent = process.cpuUsage(begin);
    return (spent.user + spent.system) / picks.length;
  }
}
