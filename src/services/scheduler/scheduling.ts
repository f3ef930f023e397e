import { Alarm } from '../../core/base/alarm.ts';
import { DisposableStore } from '../../core/base/disposable.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { InstanceExit } from '../../core/domain/instance.ts';
import type { VersionSpec } from '../../core/domain/version-spec.ts';
import type {
  AccountLoad,
  CallForecast,
  InstanceView,
  Lease,
  PauseCounts,
  Scheduling,
} from '../../core/ports/scheduling.ts';
import { Adoption } from './adoption.ts';
import { EarlierCalls } from './earlier-calls.ts';
import { room } from './capacity.ts';
import { decide } from './core.ts';
import type { RejectReason, ReleaseOutcome, SchedulerEffect, SchedulerEvent } from './events.ts';
import { ColdReasons } from './cold-reasons.ts';
import { Freezer } from './freezer.ts';
import { countPauses } from './pause-counts.ts';
import { InstanceBook } from './instance-book.ts';
import { type InstanceRecord, isLinked, standsStill } from './instance-record.ts';
import { InstanceStarts } from './instance-starts.ts';
import { KnownVersions, shapeOf } from './known-versions.ts';
import { InstanceLease, type LeaseOwner, WARM_TIMINGS } from './lease.ts';
import { OverloadGate } from './overload-gate.ts';
import { refusalError } from './refusals.ts';
import { ReservedCapacity } from './reserved-capacity.ts';
import type { SchedulingDeps } from './scheduling-deps.ts';
import { accountState, createSchedulerState, isQuiet, type SchedulerState } from './state.ts';
import { WaitingCall } from './waiting-calls.ts';

/** A broken link is mostly the end of a process: the true reason of that is worth this long a wait, ms. */
const EXIT_PATIENCE_MS = 250;

/**
 * The loop around the scheduler core: turns what happens outside into events, performs the effects, and hands out leases.
 * Decides nothing itself. Instances outlive it: `close` only lets go of them, the next server adopts them.
 */
class SchedulingLoop implements Scheduling, CallForecast, LeaseOwner {
  readonly reserved: ReservedCapacity;
  private readonly deps: SchedulingDeps;
  private readonly state: SchedulerState;
  private readonly known: KnownVersions;
  private readonly book = new InstanceBook();
  private readonly starts: InstanceStarts;
  private readonly adoption: Adoption;
  private readonly earlier: EarlierCalls;
  private readonly waiting = new Map<number, WaitingCall>();
  /** Versions whose first call is finding out about their limits. */
  private readonly learning = new Set<string>();
  private readonly lifetime = new DisposableStore();
  private readonly alarm: Alarm;
  private readonly overload: OverloadGate;
  private readonly freezer: Freezer;
  private readonly coldReasons = new ColdReasons();
  /** A timer is being decided: what it stops has expired. */
  private ticking = false;
  private nextRequest = 1;
  private performing = false;
  private stage: 'running' | 'draining' | 'closed' = 'running';
  private onDrained: (() => void) | undefined = undefined;

  constructor(deps: SchedulingDeps) {
    this.deps = deps;
    this.state = createSchedulerState({ epoch: deps.epoch, now: deps.clock.monotonic(), settings: deps.limits });
    this.known = new KnownVersions({
      catalog: deps.catalog,
      send: (event) => this.send(event),
      isQuiet: (key) => isQuiet(this.state, key),
    });
    this.overload = this.lifetime.add(new OverloadGate(deps.clock, deps.random));
    this.reserved = new ReservedCapacity({
      state: this.state,
      idOf: (instance) => this.book.get(instance)?.instanceId,
      learn: (spec) => this.known.learn(spec),
      send: (event) => this.send(event),
    });
    this.alarm = this.lifetime.add(new Alarm(deps.clock, () => this.send({ type: 'tick' })));
    const { pool, clock, logger } = deps;
    const record = (instance: number): InstanceRecord | undefined => this.book.get(instance);
    this.freezer = this.lifetime.add(new Freezer({ state: this.state, record, pool, clock, logger }));
    const { state, book, known, coldReasons, reserved } = this;
    const loop = {
      outside: deps,
      state,
      book,
      send: (event: SchedulerEvent) => this.send(event),
      background: (what: string, work: Promise<void>) => this.background(what, work),
      closed: () => this.stage === 'closed',
    };
    this.starts = new InstanceStarts({
      ...loop,
      coldReasons,
      reserved,
      orderOf: (key, cause) => this.orderOf(key, cause),
    });
    this.earlier = new EarlierCalls({
      clock,
      leave: (found) => {
        // So that it is not killed twice: whoever wants it to leave sees to its end.
        found.linkLost = true;
        this.send({ type: 'lost', instance: found.number });
      },
      kill: (instanceId) => pool.kill(instanceId, 'killed'),
    });
    this.adoption = new Adoption({
      ...loop,
      known,
      starts: this.starts,
      earlier: this.earlier,
      retire: (key) => this.retire(key),
    });
  }

  /**
   * Follows pool and catalog, and adopts what runs already. Resolves when everything found has been adopted or removed; nodes
   * that cannot be asked now are asked when they are up.
   */
  async start(): Promise<void> {
    const { pool, catalog } = this.deps;
    this.lifetime.add(pool.onExit((exit) => this.onExit(exit)));
    this.lifetime.add(
      pool.onUsage((usage) => {
        const record = this.book.named(usage.instanceId);
        if (record !== undefined) {
          record.memoryPeakBytes = Math.max(record.memoryPeakBytes, usage.memoryPeakBytes);
          record.memoryBytes = usage.memoryBytes;
        }
        this.book.placement.measured(usage.instanceId, usage.cpuMicros, this.deps.clock.monotonic());
      }),
    );
    this.lifetime.add(pool.onPressure(({ nodeId, cpu }) => this.overload.reading(nodeId, cpu)));
    this.lifetime.add(
      pool.onNodeUp(() => {
        // A node that is up again has let everything run.
        for (const record of this.book.all()) if (standsStill(record)) record.pause = 'runs';
        this.background('adopt instances', this.adoption.all());
      }),
    );
    this.lifetime.add(this.deps.quotas.onChange((account) => this.send({ type: 'account-bounds', account })));
    this.lifetime.add(
      catalog.onFunction(({ account, name }) =>
        this.background('follow a change of a function', this.known.changed(account, name)),
      ),
    );
    await this.adoption.all().catch((error: unknown) => {
      this.deps.logger.log('warn', 'running instances could not be listed yet', { error: String(error) });
    });
  }

  /** Refuses new calls and resolves when the last lease has come back. */
  drain(): Promise<void> {
    if (this.stage === 'running') this.stage = 'draining';
    if (this.state.requests.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.onDrained = resolve;
    });
  }

  /** Lets go of everything; instances run on for the next server. Calls still waiting are refused. */
  close(): Promise<void> {
    this.stage = 'closed';
    this.lifetime.dispose();
    for (const [request, call] of this.waiting) {
      this.state.requests.delete(request);
      call.reject(closing());
    }
    this.waiting.clear();
    for (const record of this.book.all()) {
      record.removal?.dispose();
      record.link?.close();
    }
    return Promise.resolve();
  }

  acquireNow(spec: VersionSpec, _requestId: string): Lease | undefined {
    if (this.stage !== 'running') return undefined;
    const known = this.known.get(spec.key);
    if (known === undefined) return undefined;
    if (this.overload.active) return undefined;
    const request = this.nextRequest++;
    const now = this.deps.clock.monotonic();
    decide(this.state, { type: 'enqueue', request, version: known.shape, wait: false }, now);
    const lease = this.takeGrant(request);
    if (lease !== undefined) this.overload.count(known.shape, now);
    return lease;
  }

  async acquire(spec: VersionSpec, requestId: string, signal: AbortSignal): Promise<Lease> {
    if (this.stage !== 'running') throw closing();
    let known = this.known.get(spec.key);
    if (known === undefined) {
      this.learning.add(spec.key);
      try {
        known = await this.known.learn(spec);
      } finally {
        this.learning.delete(spec.key);
      }
    }
    await this.overload.pass(known.shape, spec, signal);
    signal.throwIfAborted();
    if (this.stage !== 'running') throw closing();
    const request = this.nextRequest++;
    const since = this.deps.clock.monotonic();
    const onAbort = (): void => this.cancel(request, signal.reason);
    const call = new WaitingCall({ requestId, spec, since, signal, onAbort });
    this.waiting.set(request, call);
    this.send({ type: 'enqueue', request, version: known.shape, wait: true });
    return call.promise;
  }

  /** A slot on this very instance, if it has one now. */
  hold(instanceId: string): Lease | undefined {
    const record = this.book.named(instanceId);
    if (record === undefined || this.stage !== 'running') return undefined;
    const request = this.nextRequest++;
    decide(this.state, { type: 'hold', request, instance: record.number }, this.deps.clock.monotonic());
    return this.takeGrant(request);
  }

  earlierCall(requestId: string, account: string, functionName: string): Promise<void> | undefined {
    return this.earlier.ended(requestId, account, functionName);
  }

  freeSlots(versionKey: string): number {
    const version = this.state.versions.get(versionKey);
    return version === undefined ? 0 : Math.max(0, version.freeSlots - version.behind);
  }

  room(spec: VersionSpec): number {
    const version = this.state.versions.get(spec.key);
    if (version !== undefined) return room(this.state, version);
    // Not met yet: the first call finds out about its limits, the others wait for that.
    return this.learning.has(spec.key) ? 0 : shapeOf(spec).concurrency;
  }

  instances(account: string, functionName: string): readonly InstanceView[] {
    const views: InstanceView[] = [];
    for (const version of this.state.functions.get(`${account}/${functionName}`)?.versions ?? []) {
      for (const instance of version.instances) {
        const record = this.book.get(instance.id);
        if (record === undefined) continue;
        const { phase, inFlight } = instance;
        views.push({
          instanceId: record.instanceId,
          versionKey: version.shape.key,
          account,
          functionName,
          versionId: record.spec.versionId,
          state: phase === 'starting' || phase === 'ready' ? phase : 'draining',
          inFlight,
          reserved: instance.reserved,
          createdAt: record.createdAt,
          memoryMb: record.memoryPeakBytes / 1_048_576,
          pause: record.pause === 'never' ? 'runs' : record.pause,
          memoryNowMb: record.memoryBytes / 1_048_576,
        });
      }
    }
    return views;
  }

  pauses(): PauseCounts {
    return countPauses(this.book.all());
  }

  expectAt(spec: VersionSpec, at: number): void {
    const { clock } = this.deps;
    const inMs = at - clock.now();
    if (inMs <= 0 || this.stage !== 'running') return;
    const due = clock.monotonic() + inMs;
    const learnt = this.known.learn(spec).then(({ shape }) => {
      this.send({ type: 'expect', version: shape, at: due });
    });
    this.background('prepare for a call that is expected', learnt);
  }

  retire(versionKey: string): void {
    this.book.placement.forget(versionKey);
    this.send({ type: 'retire', version: versionKey });
  }

  released(request: number, epoch: number, outcome: ReleaseOutcome): void {
    this.send({ type: 'released', request, epoch, outcome });
  }

  private cancel(request: number, reason: unknown): void {
    const call = this.waiting.get(request);
    if (call === undefined) return;
    this.waiting.delete(request);
    this.send({ type: 'cancel', request });
    call.reject(reason);
  }

  /** Decides and performs. Effects of events that happen while performing are appended and performed by the same loop. */
  private send(event: SchedulerEvent): void {
    if (this.stage === 'closed') return;
    decide(this.state, event, this.deps.clock.monotonic());
    this.ticking = event.type === 'tick';
    this.perform();
    const { idleTimers, planTimers, wakeTimers } = this.state;
    const soonest = Math.min(idleTimers.earliest, planTimers.earliest, wakeTimers.earliest);
    // A timer may be months away, and a machine's timers hold weeks.
    if (soonest < Number.POSITIVE_INFINITY) {
      this.alarm.wakeBy(Math.min(soonest, this.deps.clock.monotonic() + LONGEST_SLEEP_MS));
    }
    this.freezer.look();
    if (event.type === 'reserve' && !this.state.versions.has(event.version.key)) this.known.forget(event.version.key);
    if (event.type === 'retire' && !this.state.versions.has(event.version)) this.known.forget(event.version);
    if (this.stage === 'draining' && this.state.requests.size === 0) this.onDrained?.();
  }

  private perform(): void {
    if (this.performing) return;
    const { effects } = this.state;
    if (effects.length === 0) return;
    this.performing = true;
    try {
      for (let i = 0; i < effects.length; i++) {
        const effect = effects[i];
        if (effect !== undefined) this.performOne(effect);
      }
    } finally {
      effects.length = 0;
      this.performing = false;
    }
  }

  private performOne(effect: SchedulerEffect): void {
    const { pool } = this.deps;
    switch (effect.type) {
      case 'grant':
        return this.grant(effect);
      case 'reject':
        return this.reject(effect.request, effect.reason);
      case 'start':
        return this.background('start an instance', this.starts.start(effect.instance, effect.version, effect.cause));
      case 'idle-mode': {
        const record = this.book.get(effect.instance);
        if (record !== undefined) this.freezer.setIdleMode(record, effect.idle);
        return;
      }
      case 'stop':
      case 'kill': {
        const record = this.book.get(effect.instance);
        if (record === undefined) return;
        const { instanceId } = record;
        const ending = this.state.instances.get(effect.instance)?.version;
        if (ending !== undefined) this.coldReasons.stopped(ending, this.ticking ? 'timer' : 'room');
        if (record.linkLost) {
          record.removal ??= this.deps.clock.after(EXIT_PATIENCE_MS, () => this.removeLost(record));
          return;
        }
        // What does not go gently must go all the same: it holds memory.
        const stop = (): Promise<void> => pool.stop(instanceId).catch(() => pool.kill(instanceId, 'killed'));
        if (effect.type === 'stop') this.background('stop an instance', stop());
        else this.background('kill an instance', pool.kill(instanceId, effect.reason));
      }
    }
  }

  /** The grant that `decide` has just given to `request`, if it did. It is always the last effect. */
  private takeGrant(request: number): Lease | undefined {
    const { effects } = this.state;
    const effect = effects[effects.length - 1];
    if (effect?.type !== 'grant' || effect.request !== request) return undefined;
    effects.pop();
    const record = this.book.get(effect.instance);
    if (isLinked(record)) {
      if (standsStill(record)) this.freezer.thaw(record);
      return new InstanceLease(this, request, record, effect.epoch, WARM_TIMINGS, '', effect.behind === true);
    }
    this.released(request, effect.epoch, 'broken');
    return undefined;
  }

  private grant(effect: Extract<SchedulerEffect, { type: 'grant' }>): void {
    const { request, epoch, cold, first } = effect;
    const call = this.waiting.get(request);
    const record = this.book.get(effect.instance);
    if (call === undefined || !isLinked(record)) {
      // Cancelled between decision and delivery: the slot goes back.
      this.send({ type: 'released', request, epoch, outcome: 'ok' });
      return;
    }
    this.waiting.delete(request);
    if (standsStill(record)) this.freezer.thaw(record);
    const started = cold ? record.started : undefined;
    const timings = call.timings(this.deps.clock.monotonic(), cold ? record : undefined);
    call.resolve(
      new InstanceLease(this, request, record, epoch, timings, first ? (started?.startLog ?? '') : '', false),
    );
  }

  usage(account: string): AccountLoad {
    const { calls, memoryMb } = accountState(this.state, account);
    let instances = 0;
    for (const { spec } of this.book.all()) if (spec.account === account) instances++;
    return { calls, instances, memoryMb };
  }

  private reject(request: number, reason: RejectReason): void {
    const call = this.waiting.get(request);
    if (call === undefined) return;
    this.waiting.delete(request);
    if (reason === 'start-failed') {
      call.reject(this.starts.error ?? new TidemillError('InternalServerError', 'the instance could not be started'));
      return;
    }
    const { account, functionName } = call.spec;
    const bounds = accountState(this.state, account);
    const limits = {
      account: bounds.limit,
      accountCalls: bounds.callLimit,
      accountMemoryMb: bounds.memoryLimitMb,
      reserved: this.known.reserved(`${account}/${functionName}`),
    };
    call.reject(refusalError(reason, call.spec, limits));
  }

  private orderOf(versionKey: string, cause: number): { spec: VersionSpec; requestId: string } | undefined {
    const call = this.waiting.get(cause);
    if (call !== undefined) return { spec: call.spec, requestId: call.requestId };
    const spec = this.known.get(versionKey)?.spec;
    return spec === undefined ? undefined : { spec, requestId: '' };
  }

  private onExit(exit: InstanceExit): void {
    const record = this.book.named(exit.instanceId);
    if (record === undefined) return;
    record.exit = exit;
    this.earlier.exited(record);
    this.coldReasons.exited(`${record.spec.account}/${record.spec.functionName}`, record.spec.key, exit.reason);
    // While it starts the start itself fails, with the reason.
    if (this.state.instances.get(record.number)?.phase === 'starting') return;
    this.book.drop(record);
    this.send({ type: 'exited', instance: record.number });
    const { spec } = record;
    if (!this.state.versions.has(spec.key)) this.known.forget(spec.key);
    this.deps.facts.append({
      type: 'instance-gone',
      at: this.deps.clock.now(),
      account: spec.account,
      functionName: spec.functionName,
      instanceId: exit.instanceId,
      versionId: spec.versionId,
      reason: exit.reason,
    });
  }

  /** Gives no more calls since its link broke; kills it, unless it turned out to have ended by itself. */
  private removeLost(record: InstanceRecord): void {
    this.background('kill an instance', this.deps.pool.kill(record.instanceId, 'killed'));
  }

  private background(what: string, work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.deps.logger.log('error', `could not ${what}`, { error: String(error) });
    });
  }
}

/** How long the loop sleeps at most. */
const LONGEST_SLEEP_MS = 600_000;

function closing(): TidemillError {
  return new TidemillError('ResourceThrottled', 'the server is shutting down', { remedy: 'Send the call again.' });
}

/** Scheduling over a pool of nodes. Call `start` once before use, `drain` and `close` at the end. */
export function createScheduling(deps: SchedulingDeps): Scheduling &
  CallForecast & {
    readonly reserved: ReservedCapacity;
    start(): Promise<void>;
    drain(): Promise<void>;
    close(): Promise<void>;
  } {
  return new SchedulingLoop(deps);
}
