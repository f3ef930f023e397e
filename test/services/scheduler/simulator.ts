import { decide } from '../../../src/services/scheduler/core.ts';
import type {
  RejectReason,
  ReleaseOutcome,
  SchedulerEvent,
  StartFailureCause,
  VersionShape,
} from '../../../src/services/scheduler/events.ts';
import type { SchedulerSettings } from '../../../src/services/scheduler/settings.ts';
import { createSchedulerState, type SchedulerState } from '../../../src/services/scheduler/state.ts';

export interface Call {
  readonly request: number;
  readonly shape: VersionShape;
  readonly at: number;
  /** Execution time once granted; Infinity = never answers. */
  readonly execMs: number;
  readonly outcome: ReleaseOutcome;
  end: 'waiting' | 'granted' | 'done' | 'cancelled' | RejectReason;
  instance?: number;
  grantedAt?: number;
  endedAt?: number;
}

export interface World {
  readonly startMs: (instance: number) => number;
  readonly startFails: (instance: number, shape: VersionShape) => StartFailureCause | undefined;
  readonly stopMs: number;
}

export const QUICK_WORLD: World = { startMs: () => 300, startFails: () => undefined, stopMs: 20 };

interface SimulatedInstance {
  readonly shape: VersionShape;
  readonly calls: Set<Call>;
  ending: boolean;
}

export function shapeOf(name: string, more: Partial<VersionShape> = {}): VersionShape {
  return {
    key: `acc/${name}/LATEST@1`,
    account: 'acc',
    functionKey: `acc/${name}`,
    concurrency: 1,
    exclusive: false,
    memoryMb: 128,
    idleMs: 10_000,
    onDemand: true,
    ...more,
  };
}

/**
 * A world of pretended nodes around the scheduler core, in simulated time: performs every effect after the time it would
 * take, and checks after every event what must always hold. The same core that runs in production decides here.
 */
export class Simulator {
  now = 0;
  readonly state: SchedulerState;
  readonly calls = new Map<number, Call>();
  readonly instances = new Map<number, SimulatedInstance>();
  starts = 0;
  stops = 0;
  kills = 0;
  peak = 0;
  /** Set false by tests that lower limits while instances run. */
  strictLimits = true;
  private readonly world: World;
  private readonly agenda: { at: number; order: number; action: () => void }[] = [];
  private order = 0;
  private nextRequest = 1;

  constructor(options: { world?: Partial<World>; settings?: Partial<SchedulerSettings>; epoch?: number } = {}) {
    this.world = { ...QUICK_WORLD, ...options.world };
    this.state = createSchedulerState({ epoch: options.epoch ?? 7, now: 0, settings: options.settings ?? {} });
  }

  at(at: number, action: () => void): void {
    const item = { at, order: this.order++, action };
    let low = 0;
    let high = this.agenda.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.agenda[middle];
      if (other !== undefined && (other.at < at || (other.at === at && other.order < item.order))) low = middle + 1;
      else high = middle;
    }
    this.agenda.splice(low, 0, item);
  }

  /** A call that arrives now. */
  call(shape: VersionShape, execMs: number, outcome: ReleaseOutcome = 'ok'): Call {
    const call: Call = { request: this.nextRequest++, shape, at: this.now, execMs, outcome, end: 'waiting' };
    this.calls.set(call.request, call);
    this.send({ type: 'enqueue', request: call.request, version: shape, wait: true });
    return call;
  }

  cancel(call: Call): void {
    if (call.end !== 'waiting') return;
    call.end = 'cancelled';
    this.send({ type: 'cancel', request: call.request });
  }

  adopt(shape: VersionShape, busy: number): number {
    const instance = this.state.nextInstance++;
    this.instances.set(instance, { shape, calls: new Set(), ending: false });
    this.send({ type: 'adopted', instance, version: shape, busy });
    return instance;
  }

  /** The instance's process ends by itself. */
  crash(id: number): void {
    const instance = this.instances.get(id);
    if (instance === undefined) return;
    this.instances.delete(id);
    this.send({ type: 'exited', instance: id });
    for (const call of instance.calls) this.finish(call, 'broken');
  }

  send(event: SchedulerEvent): void {
    decide(this.state, event, this.now);
    const effects = this.state.effects.splice(0);
    for (const effect of effects) {
      switch (effect.type) {
        case 'grant':
          this.granted(effect.request, effect.instance, effect.epoch);
          break;
        case 'start':
          this.starting(effect.instance, effect.version);
          break;
        case 'stop':
          this.stops++;
          this.ending(effect.instance, this.world.stopMs);
          break;
        case 'kill':
          this.kills++;
          this.ending(effect.instance, 1);
          break;
        case 'reject':
          this.rejected(effect.request, effect.reason);
          break;
        case 'idle-mode': // what an instance does between its calls changes nothing here
          break;
      }
    }
    this.check();
  }

  /** Runs until `until`, or until nothing is left to happen. */
  run(until = Number.POSITIVE_INFINITY): void {
    for (let steps = 0; ; steps++) {
      if (steps > 2_000_000) throw new Error('the simulation spins');
      const { idleTimers, planTimers, wakeTimers } = this.state;
      const timer = Math.max(Math.min(idleTimers.earliest, planTimers.earliest, wakeTimers.earliest), this.now);
      const next = this.agenda[0];
      const at = Math.min(timer, next?.at ?? Number.POSITIVE_INFINITY);
      if (at > until || at === Number.POSITIVE_INFINITY) break;
      this.now = at;
      if (next !== undefined && next.at <= at) {
        this.agenda.shift();
        next.action();
      } else {
        this.send({ type: 'tick' });
      }
    }
    if (until !== Number.POSITIVE_INFINITY) this.now = Math.max(this.now, until);
  }

  ends(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const call of this.calls.values()) counts[call.end] = (counts[call.end] ?? 0) + 1;
    return counts;
  }

  private granted(request: number, id: number, epoch: number): void {
    const call = this.calls.get(request);
    const instance = this.instances.get(id);
    if (call === undefined || call.end !== 'waiting') throw new Error(`call ${request} granted after its end`);
    if (instance === undefined || instance.ending) throw new Error(`granted on instance ${id} which is ending`);
    if (epoch !== this.state.epoch) throw new Error('granted in an old epoch');
    if (instance.shape.key !== call.shape.key) throw new Error('granted on an instance of another version');
    instance.calls.add(call);
    if (instance.calls.size > instance.shape.concurrency) throw new Error('two leases on one slot');
    call.end = 'granted';
    call.instance = id;
    call.grantedAt = this.now;
    if (call.execMs < Number.POSITIVE_INFINITY) {
      this.at(this.now + call.execMs, () => {
        if (call.end === 'granted') this.finish(call, call.outcome);
      });
    }
  }

  private finish(call: Call, outcome: ReleaseOutcome): void {
    call.end = 'done';
    call.endedAt = this.now;
    if (call.instance !== undefined) this.instances.get(call.instance)?.calls.delete(call);
    this.send({ type: 'released', request: call.request, epoch: this.state.epoch, outcome });
  }

  private starting(id: number, shape: VersionShape): void {
    this.starts++;
    this.instances.set(id, { shape, calls: new Set(), ending: false });
    this.at(this.now + this.world.startMs(id), () => {
      const cause = this.world.startFails(id, shape);
      if (cause === undefined) {
        this.send({ type: 'started', instance: id });
      } else {
        this.instances.delete(id);
        this.send({ type: 'start-failed', instance: id, cause });
      }
    });
  }

  private ending(id: number, afterMs: number): void {
    const instance = this.instances.get(id);
    if (instance === undefined) return;
    if (instance.ending) throw new Error(`instance ${id} ended twice`);
    instance.ending = true;
    this.at(this.now + afterMs, () => {
      this.instances.delete(id);
      this.send({ type: 'exited', instance: id });
      for (const call of instance.calls) if (call.end === 'granted') this.finish(call, 'broken');
    });
  }

  private rejected(request: number, reason: RejectReason): void {
    const call = this.calls.get(request);
    if (call === undefined || call.end !== 'waiting') throw new Error(`call ${request} refused after its end`);
    call.end = reason;
    call.endedAt = this.now;
  }

  private check(): void {
    const { state } = this;
    let counted = 0;
    const perFunction = new Map<string, number>();
    for (const { shape, ending } of this.instances.values()) {
      if (ending) continue;
      counted++;
      perFunction.set(shape.functionKey, (perFunction.get(shape.functionKey) ?? 0) + 1);
    }
    this.peak = Math.max(this.peak, counted);
    if (this.strictLimits) this.checkLimits(counted, perFunction);
    for (const account of state.accounts.values()) {
      if (account.shared < 0) throw new Error('negative count');
    }
    if (state.starting < 0 || state.memoryUsedMb < 0 || state.memoryStoppingMb < 0 || state.memoryIdleMb < 0) {
      throw new Error('negative count');
    }
    for (const version of state.versions.values()) {
      if (version.waiting.size > 0 && version.free.size > 0) throw new Error('a call waits beside a free slot');
      if (version.waiting.size > 0 && version.planTimer.list === undefined) throw new Error('a queue nobody looks at');
    }
  }

  private checkLimits(counted: number, perFunction: ReadonlyMap<string, number>): void {
    for (const owner of this.state.functions.values()) {
      const instances = perFunction.get(owner.key) ?? 0;
      if (owner.limit !== undefined && instances > owner.limit) throw new Error(`${owner.key} is over its limit`);
      if (owner.instances !== instances) throw new Error(`${owner.key}: counts ${owner.instances} of ${instances}`);
    }
    for (const account of this.state.accounts.values()) {
      if (counted > account.limit) throw new Error('the account is over its limit');
    }
    const capacity = this.state.memoryCapacityMb;
    let memory = 0;
    for (const { shape } of this.instances.values()) memory += shape.memoryMb;
    if (memory !== this.state.memoryUsedMb) throw new Error('memory is counted wrongly');
    if (capacity !== undefined && memory > capacity) throw new Error('more memory promised than there is');
  }
}
