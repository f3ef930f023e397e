import { BinaryHeap } from '../../src/core/base/binary-heap.ts';
import { decide } from '../../src/services/scheduler/core.ts';
import type { SchedulerEvent, VersionShape } from '../../src/services/scheduler/events.ts';
import type { SchedulerSettings } from '../../src/services/scheduler/settings.ts';
import { createSchedulerState, type SchedulerState } from '../../src/services/scheduler/state.ts';
import { type KeepAlive, type Load, shapeOf } from './load.ts';

/** What one policy costs and gives on one load. */
export interface Outcome {
  readonly calls: number;
  /** Calls that waited for the start of an instance. */
  readonly cold: number;
  readonly refused: number;
  /** Starts of instances, those ahead of need included. */
  readonly starts: number;
  /** MB x seconds of instances that were ready and had no call. */
  readonly idleMbSeconds: number;
  /** MB x seconds of instances that had calls. */
  readonly busyMbSeconds: number;
  readonly peak: number;
  /** Longest wait for a slot and the 99th percentile, milliseconds. */
  readonly worstWaitMs: number;
  readonly p99WaitMs: number;
  readonly samples: readonly Sample[];
  /** Calls that waited for a start, by index of the function. */
  readonly coldOf: readonly number[];
}

/** The state at one moment, for the plot. */
export interface Sample {
  readonly at: number;
  /** Calls running or waiting. */
  readonly demand: number;
  readonly instances: number;
}

interface Due {
  readonly at: number;
  readonly event: SchedulerEvent;
}

export interface WorldOptions {
  readonly keepAlive: KeepAlive;
  /** Timers tell when they fire next. */
  readonly announce: boolean;
  readonly startMs: number;
  readonly settings?: Partial<SchedulerSettings>;
  readonly concurrency?: number;
  readonly memoryMb?: number;
  readonly sampleMs?: number;
}

/** Nodes that start every instance after the same time, around the scheduler core of production, in simulated time. */
class World {
  readonly state: SchedulerState;
  private now = 0;
  private readonly options: WorldOptions;
  private readonly agenda = new BinaryHeap<Due>((a, b) => a.at < b.at);
  private readonly load: Load;
  private readonly shapes: readonly VersionShape[];
  private readonly waits: number[] = [];
  private readonly arrivals = new Map<number, number>();
  private cold = 0;
  private readonly coldOf: number[];
  private starts = 0;
  private refused = 0;
  private peak = 0;
  private idle = 0;
  private total = 0;
  private nextSample = 0;
  private readonly samples: Sample[] = [];

  constructor(load: Load, options: WorldOptions) {
    this.load = load;
    this.coldOf = load.functions.map(() => 0);
    this.options = options;
    this.shapes = load.functions.map((fn) => shapeOf(fn, options.keepAlive, options.concurrency));
    this.state = createSchedulerState({
      epoch: 1,
      now: 0,
      settings: { instancesPerAccount: 100_000, ...options.settings },
    });
    this.state.memoryCapacityMb = options.memoryMb;
  }

  run(): Outcome {
    const { calls, announcements, lengthMs } = this.load;
    let call = 0;
    let fire = 0;
    for (;;) {
      const { idleTimers, planTimers, wakeTimers } = this.state;
      const timer = Math.max(Math.min(idleTimers.earliest, planTimers.earliest, wakeTimers.earliest), this.now);
      const nextCall = calls[call]?.at ?? Number.POSITIVE_INFINITY;
      const nextFire = this.options.announce ? (announcements[fire]?.from ?? Number.POSITIVE_INFINITY) : Infinity;
      const at = Math.min(timer, this.agenda.peek()?.at ?? Number.POSITIVE_INFINITY, nextCall, nextFire);
      if (at > lengthMs) break;
      this.advance(at);
      if (nextFire === at) this.announce(fire++);
      else if (nextCall === at) this.arrive(call++);
      else this.perform(this.agenda.peek()?.at === at ? this.agenda.pop()?.event : undefined);
    }
    this.advance(lengthMs);
    return this.outcome();
  }

  private advance(at: number): void {
    const passed = at - this.now;
    const { state } = this;
    this.idle += passed * state.memoryIdleMb;
    this.total += passed * (state.memoryUsedMb - state.memoryStoppingMb);
    const every = this.options.sampleMs;
    if (every !== undefined) {
      for (; this.nextSample <= at; this.nextSample += every) {
        this.samples.push({ at: this.nextSample, demand: state.requests.size, instances: state.instances.size });
      }
    }
    this.now = at;
  }

  private announce(index: number): void {
    const fire = this.load.announcements[index];
    const version = fire === undefined ? undefined : this.shapes[fire.function];
    if (fire !== undefined && version !== undefined) this.perform({ type: 'expect', version, at: fire.at });
  }

  private arrive(index: number): void {
    const call = this.load.calls[index];
    const version = call === undefined ? undefined : this.shapes[call.function];
    if (version === undefined) return;
    this.arrivals.set(index + 1, this.now);
    this.perform({ type: 'enqueue', request: index + 1, version, wait: true });
  }

  private perform(event: SchedulerEvent | undefined): void {
    const { state, agenda } = this;
    decide(state, event ?? { type: 'tick' }, this.now);
    for (const effect of state.effects) {
      if (effect.type === 'grant') {
        this.granted(effect.request, effect.cold);
      } else if (effect.type === 'start') {
        this.starts++;
        agenda.push({ at: this.now + this.options.startMs, event: { type: 'started', instance: effect.instance } });
      } else if (effect.type === 'reject') {
        this.refused++;
        this.arrivals.delete(effect.request);
      } else {
        agenda.push({ at: this.now + 10, event: { type: 'exited', instance: effect.instance } });
      }
    }
    state.effects.length = 0;
    this.peak = Math.max(this.peak, state.instances.size);
  }

  private granted(request: number, cold: boolean): void {
    const call = this.load.calls[request - 1];
    if (cold && call !== undefined) {
      this.cold++;
      this.coldOf[call.function] = (this.coldOf[call.function] ?? 0) + 1;
    }
    this.waits.push(this.now - (this.arrivals.get(request) ?? this.now));
    this.arrivals.delete(request);
    const execMs = call?.execMs ?? 1;
    this.agenda.push({ at: this.now + execMs, event: { type: 'released', request, epoch: 1, outcome: 'ok' } });
  }

  private outcome(): Outcome {
    const waits = Float64Array.from(this.waits).sort();
    return {
      calls: this.load.calls.length,
      cold: this.cold,
      refused: this.refused,
      starts: this.starts,
      idleMbSeconds: this.idle / 1_000,
      busyMbSeconds: (this.total - this.idle) / 1_000,
      peak: this.peak,
      worstWaitMs: waits[waits.length - 1] ?? 0,
      p99WaitMs: waits[Math.floor(waits.length * 0.99)] ?? 0,
      samples: this.samples,
      coldOf: this.coldOf,
    };
  }
}

/** Replays the load through the scheduler core. */
export function replay(load: Load, options: WorldOptions): Outcome {
  return new World(load, options).run();
}
