import { Alarm } from '../../core/base/alarm.ts';
import type { Clock } from '../../core/base/clock.ts';
import { DisposableStore } from '../../core/base/disposable.ts';
import { newInstanceId } from '../../core/base/ids.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { InstanceExit } from '../../core/domain/instance.ts';
import type { VersionSpec } from '../../core/domain/version-spec.ts';
import type { Catalog } from '../../core/ports/catalog.ts';
import type { FactLog } from '../../core/ports/fact-log.ts';
import type { Identity } from '../../core/ports/identity.ts';
import type { InstanceDialer } from '../../core/ports/instance-link.ts';
import { InstanceStartError, type NodePool, type StartFailure } from '../../core/ports/node-pool.ts';
import type { CallForecast, InstanceView, Lease, Scheduling } from '../../core/ports/scheduling.ts';
import { room } from './capacity.ts';
import { decide } from './core.ts';
import type { RejectReason, ReleaseOutcome, SchedulerEffect, SchedulerEvent, VersionShape } from './events.ts';
import { ColdReasons } from './cold-reasons.ts';
import { EarlyLink } from './early-link.ts';
import { Freezer } from './freezer.ts';
import { InstanceRecord, isLinked } from './instance-record.ts';
import { KnownVersions, shapeOf } from './known-versions.ts';
import { InstanceLease, type LeaseOwner, WARM_TIMINGS } from './lease.ts';
import { OverloadGate } from './overload-gate.ts';
import { type Placed, PlacementLedger } from './placement-ledger.ts';
import { causeOf, refusalError } from './refusals.ts';
import { ReservedCapacity } from './reserved-capacity.ts';
import type { SchedulerSettings } from './settings.ts';
import { createSchedulerState, type SchedulerState } from './state.ts';
import { WaitingCall } from './waiting-calls.ts';

export interface SchedulingDeps {
  readonly pool: NodePool;
  readonly dialer: InstanceDialer;
  readonly identity: Identity;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly random: Random;
  /** Of this server process: higher than that of every one before. */
  readonly epoch: number;
  readonly facts: FactLog;
  /** Overrides of the scheduler's settings, e.g. `instancesPerAccount`. */
  readonly limits: Partial<SchedulerSettings>;
  readonly logger: Logger;
}

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
  private readonly records = new Map<number, InstanceRecord>();
  private readonly byId = new Map<string, InstanceRecord>();
  private readonly placement = new PlacementLedger();
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
  private adopting: Promise<void> = Promise.resolve();
  private nextRequest = 1;
  private performing = false;
  /** Why the start that is being decided failed; only set meanwhile. */
  private startError: InstanceStartError | undefined = undefined;
  private stage: 'running' | 'draining' | 'closed' = 'running';
  private onDrained: (() => void) | undefined = undefined;

  constructor(deps: SchedulingDeps) {
    this.deps = deps;
    this.state = createSchedulerState({ epoch: deps.epoch, now: deps.clock.monotonic(), settings: deps.limits });
    this.known = new KnownVersions(deps.catalog, (event) => this.send(event));
    this.overload = this.lifetime.add(new OverloadGate(deps.clock, deps.random));
    this.reserved = new ReservedCapacity({
      state: this.state,
      idOf: (instance) => this.records.get(instance)?.instanceId,
      learn: (spec) => this.known.learn(spec),
      send: (event) => this.send(event),
    });
    this.alarm = this.lifetime.add(new Alarm(deps.clock, () => this.send({ type: 'tick' })));
    const { pool, clock, logger } = deps;
    const record = (instance: number): InstanceRecord | undefined => this.records.get(instance);
    this.freezer = this.lifetime.add(new Freezer({ state: this.state, record, pool, clock, logger }));
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
        const record = this.byId.get(usage.instanceId);
        if (record !== undefined) record.memoryPeakBytes = Math.max(record.memoryPeakBytes, usage.memoryPeakBytes);
        this.placement.measured(usage.instanceId, usage.cpuMicros, this.deps.clock.monotonic());
      }),
    );
    this.lifetime.add(
      pool.onNodeUp(() => {
        // A node that is up again has let everything run.
        for (const record of this.records.values()) if (record.pause === 'frozen') record.pause = 'runs';
        this.background('adopt instances', this.adoptAll());
      }),
    );
    this.lifetime.add(
      catalog.onFunction(({ account, name }) =>
        this.background('follow a change of a function', this.known.changed(account, name)),
      ),
    );
    await this.adoptAll().catch((error: unknown) => {
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
    for (const record of this.records.values()) {
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
    const record = this.byId.get(instanceId);
    if (record === undefined || this.stage !== 'running') return undefined;
    const request = this.nextRequest++;
    decide(this.state, { type: 'hold', request, instance: record.number }, this.deps.clock.monotonic());
    return this.takeGrant(request);
  }

  freeSlots(versionKey: string): number {
    return this.state.versions.get(versionKey)?.freeSlots ?? 0;
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
        const record = this.records.get(instance.id);
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
        });
      }
    }
    return views;
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
    this.placement.forget(versionKey);
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
        return this.background('start an instance', this.startInstance(effect.instance, effect.version, effect.cause));
      case 'idle-mode': {
        const record = this.records.get(effect.instance);
        if (record !== undefined) this.freezer.setIdleMode(record, effect.idle);
        return;
      }
      case 'stop':
      case 'kill': {
        const record = this.records.get(effect.instance);
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
    const record = this.records.get(effect.instance);
    if (isLinked(record)) {
      if (record.pause === 'frozen') this.freezer.thaw(record);
      return new InstanceLease(this, request, record, effect.epoch, WARM_TIMINGS, '');
    }
    this.released(request, effect.epoch, 'broken');
    return undefined;
  }

  private grant(effect: Extract<SchedulerEffect, { type: 'grant' }>): void {
    const { request, epoch, cold, first } = effect;
    const call = this.waiting.get(request);
    const record = this.records.get(effect.instance);
    if (call === undefined || !isLinked(record)) {
      // Cancelled between decision and delivery: the slot goes back.
      this.send({ type: 'released', request, epoch, outcome: 'ok' });
      return;
    }
    this.waiting.delete(request);
    if (record.pause === 'frozen') this.freezer.thaw(record);
    const started = cold ? record.started : undefined;
    const timings = call.timings(this.deps.clock.monotonic(), cold ? record : undefined);
    call.resolve(new InstanceLease(this, request, record, epoch, timings, first ? (started?.startLog ?? '') : ''));
  }

  private reject(request: number, reason: RejectReason): void {
    const call = this.waiting.get(request);
    if (call === undefined) return;
    this.waiting.delete(request);
    if (reason === 'start-failed') {
      call.reject(this.startError ?? new TidemillError('InternalServerError', 'the instance could not be started'));
      return;
    }
    const { account, functionName } = call.spec;
    const limits = {
      account: this.state.accounts.get(account)?.limit ?? this.state.settings.instancesPerAccount,
      accountCalls: this.state.settings.callsPerAccount,
      reserved: this.known.reserved(`${account}/${functionName}`),
    };
    call.reject(refusalError(reason, call.spec, limits));
  }

  private async startInstance(number: number, shape: VersionShape, cause: number): Promise<void> {
    const { pool, dialer, identity, clock, random, facts } = this.deps;
    const spec = this.waiting.get(cause)?.spec ?? this.known.get(shape.key)?.spec;
    if (spec === undefined) throw new Error(`no version known by ${shape.key}`);
    const requestId = this.waiting.get(cause)?.requestId ?? '';
    const record = new InstanceRecord(number, newInstanceId(random, clock.now()), spec, clock.now());
    this.records.set(number, record);
    this.byId.set(record.instanceId, record);
    const version = this.state.versions.get(shape.key);
    if (version !== undefined) record.coldReason = this.coldReasons.reasonFor(version);
    const begin = clock.monotonic();
    const early = new EarlyLink(dialer, spec, this.deps.epoch);
    try {
      const node = await this.placeOn(record.instanceId, shape);
      const credentials = identity.credentialsFor(spec.account, spec.functionArn);
      const order = { instanceId: record.instanceId, spec, requestId, credentials };
      record.started = await pool.start(node === undefined ? order : { ...order, nodeId: node }, (address) =>
        early.placed(address),
      );
      const link = await early.take(record.started.address);
      this.linked(record, link);
      const { sandboxMs, runtimeMs, codeMs, initializerMs } = record.started.timings;
      const phases = sandboxMs + runtimeMs + codeMs + initializerMs;
      record.placedMs = Math.max(0, clock.monotonic() - begin - phases);
    } catch (error) {
      if (record.started === undefined) early.abandon();
      this.startFailed(record, error);
      return;
    }
    facts.append({
      type: 'instance-started',
      at: clock.now(),
      account: spec.account,
      functionName: spec.functionName,
      instanceId: record.instanceId,
      versionId: spec.versionId,
      from: record.started.timings.from,
      startMs: clock.monotonic() - begin,
    });
    this.reserved.started(spec.key);
    this.send({ type: 'started', instance: number });
  }

  /**
   * Counts the instance at once on the node that placement chooses. Undefined: no node is up, the start waits for one. Rejects
   * when no node has room, never in the midst of the decision that ordered the start.
   */
  private placeOn(instanceId: string, shape: VersionShape): Promise<string | undefined> {
    const nodes = this.deps.pool.nodes();
    if (nodes.length === 0) return Promise.resolve(undefined);
    const placed = placedOf(shape);
    const node = this.placement.choose(nodes, placed);
    if (node === undefined) {
      const message = `no machine has room for another instance of ${shape.memoryMb} MB`;
      return Promise.reject(new InstanceStartError({ kind: 'no-capacity', message, startLog: '' }));
    }
    this.placement.add(instanceId, node, placed);
    return Promise.resolve(node);
  }

  /** Throws when the instance ended before its link was made. */
  private linked(record: InstanceRecord, link: InstanceRecord['link'] & object): void {
    if (record.exit !== undefined || this.stage === 'closed') {
      link.close();
      throw new InstanceStartError(endedEarly(record.exit, record.started?.startLog ?? ''));
    }
    record.link = link;
    void link.closed.then(() => {
      record.linkLost = true;
      this.send({ type: 'lost', instance: record.number });
    });
  }

  private startFailed(record: InstanceRecord, error: unknown): void {
    const { logger, pool } = this.deps;
    this.drop(record);
    if (record.started !== undefined && record.exit === undefined) {
      this.background('kill an instance', pool.kill(record.instanceId, 'killed'));
    }
    const failure = error instanceof InstanceStartError ? error : new InstanceStartError(platformFailure(error));
    if (failure.failure.kind === 'platform') {
      logger.log('error', 'an instance could not be started', { instance: record.instanceId, error: String(error) });
    }
    this.reserved.startFailed(record.spec.key, failure);
    this.startError = failure;
    this.send({ type: 'start-failed', instance: record.number, cause: causeOf(failure.failure.kind) });
    this.startError = undefined;
  }

  private onExit(exit: InstanceExit): void {
    const record = this.byId.get(exit.instanceId);
    if (record === undefined) return;
    record.exit = exit;
    this.coldReasons.exited(`${record.spec.account}/${record.spec.functionName}`, record.spec.key, exit.reason);
    // While it starts the start itself fails, with the reason.
    if (this.state.instances.get(record.number)?.phase === 'starting') return;
    this.drop(record);
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

  private drop(record: InstanceRecord): void {
    this.records.delete(record.number);
    this.byId.delete(record.instanceId);
    this.placement.remove(record.instanceId);
    record.removal?.dispose();
    record.link?.close();
  }

  /** One after the other: who waits for it knows everything found before. */
  private adoptAll(): Promise<void> {
    const again = (): Promise<void> => this.adoptFound();
    this.adopting = this.adopting.then(again, again);
    return this.adopting;
  }

  private async adoptFound(): Promise<void> {
    const { pool, dialer, epoch, clock, logger } = this.deps;
    const nodes = pool.nodes();
    const capacityMb = nodes.length === 0 ? undefined : nodes.reduce((sum, node) => sum + node.memoryMb, 0);
    this.send({ type: 'memory', capacityMb });
    for (const found of await pool.list()) {
      if (this.byId.has(found.instanceId) || this.stage === 'closed') continue;
      const { spec, instanceId } = found;
      const record = new InstanceRecord(this.state.nextInstance++, instanceId, spec, clock.now());
      this.records.set(record.number, record);
      this.byId.set(instanceId, record);
      try {
        const link = await dialer.dial(found.address, spec, epoch);
        this.linked(record, link);
        const { shape } = await this.known.learn(spec);
        this.placement.add(instanceId, found.nodeId, placedOf(shape));
        if (record.exit !== undefined) continue;
        const busy = link.busyAtConnect.length;
        this.send({ type: 'adopted', instance: record.number, version: shape, busy });
        if (busy > 0) {
          void link.drained().then(() => this.send({ type: 'adopted-drained', instance: record.number }));
        }
        if (!(await this.known.isCurrent(spec))) this.retire(spec.key);
      } catch (error) {
        this.drop(record);
        logger.log('warn', 'an instance that was found could not be adopted and is removed', {
          instance: instanceId,
          error: String(error),
        });
        this.background('kill an instance', pool.kill(instanceId, 'killed'));
      }
    }
  }

  private background(what: string, work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.deps.logger.log('error', `could not ${what}`, { error: String(error) });
    });
  }
}

/** How long the loop sleeps at most. */
const LONGEST_SLEEP_MS = 600_000;

function placedOf({ key, functionKey, memoryMb }: VersionShape): Placed {
  return { versionKey: key, functionKey, memoryMb };
}

function closing(): TidemillError {
  return new TidemillError('ResourceThrottled', 'the server is shutting down', { remedy: 'Send the call again.' });
}

function platformFailure(error: unknown): StartFailure {
  const message = error instanceof Error ? error.message : String(error);
  return { kind: 'platform', message: `the instance could not be reached: ${message}`, startLog: '' };
}

function endedEarly(exit: InstanceExit | undefined, startLog: string): StartFailure {
  if (exit === undefined) return { kind: 'platform', message: 'the server is shutting down', startLog };
  return { kind: 'exited', message: `Function instance exited unexpectedly. Logs: ${exit.lastOutput}`, startLog };
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
