import { Alarm } from '../../core/base/alarm.ts';
import type { Clock } from '../../core/base/clock.ts';
import { DeadlineWheel } from '../../core/base/deadline-wheel.ts';
import { DisposableStore } from '../../core/base/disposable.ts';
import { newUuid } from '../../core/base/ids.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import { ThrottledError } from '../../core/domain/overload.ts';
import { isSessionId, type SessionAffinity, type SessionTimes } from '../../core/domain/session.ts';
import type { Catalog } from '../../core/ports/catalog.ts';
import type { Target } from '../../core/ports/dispatch.ts';
import type { MetadataStore } from '../../core/ports/metadata-store.ts';
import type { NodePool } from '../../core/ports/node-pool.ts';
import type { Lease, Scheduling } from '../../core/ports/scheduling.ts';
import type { SessionLease, SessionScope, Sessions, SessionView } from '../../core/ports/sessions.ts';
import { SessionRecord, sessionKey, SESSIONS_PREFIX, type StoredSession } from './session-record.ts';
import { WARM_TIMINGS } from './lease.ts';

export interface SessionsDeps {
  readonly scheduling: Scheduling;
  readonly store: MetadataStore;
  readonly catalog: Catalog;
  readonly pool: NodePool;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Ended sessions are remembered this long: they are listed, and their ids refused where they may not come again. */
const REMEMBER_MS = LIMITS.sessionTtlMaxSeconds * 1_000;

/**
 * The table of sessions. A session keeps one slot of its instance for as long as it lives, so that the scheduler neither
 * takes the instance away nor gives it more sessions than the function allows; the calls of the session ride on that slot.
 */
class SessionTable implements Sessions {
  private readonly deps: SessionsDeps;
  private readonly sessions = new Map<string, SessionRecord>();
  /** Sessions that are being begun, by key. */
  private readonly beginning = new Map<string, Promise<SessionRecord>>();
  /** Calls that run on an instance, over its sessions. */
  private readonly busy = new Map<string, number>();
  private readonly wheel: DeadlineWheel<SessionRecord>;
  private readonly alarm: Alarm;
  private readonly lifetime = new DisposableStore();
  private closed = false;

  constructor(deps: SessionsDeps) {
    this.deps = deps;
    this.wheel = new DeadlineWheel({ granularityMs: 100, buckets: 4_096, now: deps.clock.monotonic() });
    this.alarm = this.lifetime.add(new Alarm(deps.clock, () => this.tick()));
    this.lifetime.add(deps.pool.onExit(({ instanceId }) => this.instanceGone(instanceId)));
    this.lifetime.add(
      deps.catalog.onFunction(({ account, name }) => this.background(this.functionChanged(account, name))),
    );
  }

  /** Finds the sessions of an earlier server again; those whose instance is gone have ended. Call after instances were adopted. */
  async start(): Promise<void> {
    const { store, scheduling, clock } = this.deps;
    for (const { key, value } of await store.list(SESSIONS_PREFIX)) {
      const stored = value as StoredSession;
      const record = new SessionRecord(stored, undefined, clock.now());
      if (stored.lastModifiedTime + REMEMBER_MS < clock.now() && !record.active) {
        await store.delete(key);
        continue;
      }
      this.sessions.set(key, record);
      if (record.active) record.lease = scheduling.hold(stored.instanceId);
      if (record.active && record.lease === undefined) await this.end(record, 'ok');
      else this.watch(record);
    }
  }

  /** Lets go of the slots, so that the server can end; the sessions stay in the store for the next. */
  close(): void {
    this.closed = true;
    this.lifetime.dispose();
    for (const record of this.sessions.values()) record.lease?.release('ok');
    this.sessions.clear();
  }

  async acquire(
    target: Target,
    sessionId: string | undefined,
    requestId: string,
    signal: AbortSignal,
  ): Promise<SessionLease> {
    const affinity = affinityOf(target);
    const scope = scopeOf(target);
    if (sessionId !== undefined && !isSessionId(sessionId)) throw invalidSession(sessionId, 'is malformed');
    const id = sessionId ?? newUuid(this.deps.random);
    const key = sessionKey(scope, id);
    const known = this.sessions.get(key) ?? (await this.beginning.get(key));
    if (known?.active === true) return this.enter(known, undefined);
    if (sessionId !== undefined) {
      const reuse = affinity.type === 'HEADER_FIELD' && known?.stored.times.disableIdReuse !== true;
      if (!reuse) throw invalidSession(id, known === undefined ? 'does not exist' : 'has expired');
    }
    const begun = await this.begin(target, id, affinity, requestId, signal);
    return this.enter(begun, begun.lease);
  }

  async create(
    target: Target,
    options: Partial<SessionTimes> & { readonly sessionId?: string },
    requestId: string,
  ): Promise<SessionView> {
    const affinity = affinityOf(target);
    const { sessionId, ...times } = options;
    if (sessionId !== undefined && affinity.type !== 'HEADER_FIELD') {
      throw new TidemillError('InvalidArgument', 'sessionId can only be chosen with the session affinity HEADER_FIELD');
    }
    const id = sessionId ?? newUuid(this.deps.random);
    const known = this.sessions.get(sessionKey(scopeOf(target), id));
    if (known?.active === true || known?.stored.times.disableIdReuse === true) {
      throw new TidemillError('InvalidArgument', `sessionId '${id}' already exists`, {
        remedy: 'Choose another id, or delete the session first.',
      });
    }
    const signal = new AbortController().signal;
    return (await this.begin(target, id, { ...affinity, ...times }, requestId, signal)).view();
  }

  get(scope: SessionScope, sessionId: string): SessionView {
    return this.find(scope, sessionId).view();
  }

  list(account: string, functionName: string, qualifier: string | undefined): readonly SessionView[] {
    const of = [...this.sessions.values()].filter(({ stored }) => {
      const same = stored.account === account && stored.functionName === functionName;
      return same && (qualifier === undefined || stored.qualifier === qualifier);
    });
    return of.map((record) => record.view()).toSorted((a, b) => (a.sessionId < b.sessionId ? -1 : 1));
  }

  async update(scope: SessionScope, sessionId: string, changes: Partial<SessionTimes>): Promise<SessionView> {
    const record = this.find(scope, sessionId);
    const times = { ...record.stored.times, ...changes };
    record.stored = { ...record.stored, times, lastModifiedTime: this.deps.clock.now() };
    await this.save(record);
    this.watch(record);
    return record.view();
  }

  async delete(scope: SessionScope, sessionId: string): Promise<void> {
    await this.end(this.find(scope, sessionId), 'ok');
  }

  private find(scope: SessionScope, sessionId: string): SessionRecord {
    const record = this.sessions.get(sessionKey(scope, sessionId));
    if (record?.active === true) return record;
    throw new TidemillError('InvalidArgument', `session '${sessionId}' does not exist: it was deleted or has expired`, {
      remedy: 'Create a session, or list those that exist.',
    });
  }

  /** Begins a session once, however many first requests come at the same time. */
  private async begin(
    target: Target,
    id: string,
    affinity: SessionAffinity,
    requestId: string,
    signal: AbortSignal,
  ): Promise<SessionRecord> {
    const scope = scopeOf(target);
    const key = sessionKey(scope, id);
    const others = this.beginning.get(key);
    if (others !== undefined) return others;
    const beginning = this.beginOnce(target, scope, id, affinity, requestId, signal);
    this.beginning.set(key, beginning);
    try {
      return await beginning;
    } finally {
      this.beginning.delete(key);
    }
  }

  private async beginOnce(
    target: Target,
    scope: SessionScope,
    sessionId: string,
    affinity: SessionAffinity,
    requestId: string,
    signal: AbortSignal,
  ): Promise<SessionRecord> {
    const { scheduling, clock } = this.deps;
    const lease = await scheduling.acquire(target.spec, requestId, signal);
    const now = clock.now();
    const { type, ttlSeconds, idleSeconds, disableIdReuse } = affinity;
    const stored: StoredSession = {
      ...scope,
      sessionId,
      affinity: type,
      instanceId: lease.instanceId,
      status: 'Active',
      times: { ttlSeconds, idleSeconds, disableIdReuse },
      createdTime: now,
      lastModifiedTime: now,
    };
    const record = new SessionRecord(stored, lease, now);
    try {
      await this.save(record);
    } catch (error) {
      lease.release('ok');
      throw error;
    }
    if (this.closed) {
      lease.release('ok');
      throw new TidemillError('ResourceThrottled', 'the server is shutting down', { remedy: 'Send the call again.' });
    }
    this.sessions.set(record.key, record);
    this.watch(record);
    return record;
  }

  /** One call in a session. `first`: the lease the session was begun with, whose cold start this call waited for. */
  private enter(record: SessionRecord, first: Lease | undefined): SessionLease {
    const { lease, stored } = record;
    if (lease === undefined) throw invalidSession(stored.sessionId, 'has expired');
    const { instanceId } = lease;
    const busy = this.busy.get(instanceId) ?? 0;
    if (busy >= LIMITS.instanceConcurrencyMax) {
      throw new ThrottledError(
        'session-instance',
        'ResourceExhausted',
        `the instance of session '${stored.sessionId}' runs ${busy} calls, which is the most an instance may`,
        { remedy: 'Call again later, or let fewer sessions share an instance (sessionConcurrencyPerInstance).' },
      );
    }
    this.busy.set(instanceId, busy + 1);
    record.inFlight++;
    record.lastUsed = this.deps.clock.now();
    const { link, epoch } = lease;
    let over = false;
    return {
      instanceId,
      link,
      epoch,
      timings: first?.timings ?? WARM_TIMINGS,
      startLog: first?.startLog ?? '',
      session: { id: stored.sessionId, created: first !== undefined, maxAgeSeconds: stored.times.ttlSeconds },
      release: (outcome) => {
        if (over) return;
        over = true;
        this.left(record, instanceId, outcome);
      },
    };
  }

  private left(record: SessionRecord, instanceId: string, outcome: Parameters<Lease['release']>[0]): void {
    const busy = (this.busy.get(instanceId) ?? 1) - 1;
    if (busy === 0) this.busy.delete(instanceId);
    else this.busy.set(instanceId, busy);
    record.inFlight--;
    record.lastUsed = this.deps.clock.now();
    // An instance that has to be replaced takes the session with it; its other sessions last until they end.
    if (outcome !== 'ok' && record.active) this.background(this.end(record, outcome));
    else if (!record.active && record.inFlight === 0) this.giveBack(record);
    else this.watch(record);
  }

  private async end(record: SessionRecord, outcome: Parameters<Lease['release']>[0]): Promise<void> {
    if (!record.active) return;
    const now = this.deps.clock.now();
    record.stored = { ...record.stored, status: 'Expired', lastModifiedTime: now };
    record.outcome = outcome;
    if (record.inFlight === 0 || outcome === 'broken') this.giveBack(record);
    this.watch(record);
    await this.save(record);
  }

  private giveBack(record: SessionRecord): void {
    const { lease } = record;
    record.lease = undefined;
    lease?.release(record.outcome);
  }

  private save(record: SessionRecord): Promise<unknown> {
    return this.deps.store.put(record.key, record.stored);
  }

  /** Looks again when the session could expire, or an expired one be forgotten. */
  private watch(record: SessionRecord): void {
    if (this.closed) return;
    const { clock } = this.deps;
    const at = record.active ? record.expiresAt : record.stored.lastModifiedTime + REMEMBER_MS;
    this.wheel.set(record.timer, clock.monotonic() + Math.max(0, at - clock.now()));
    this.alarm.wakeBy(this.wheel.earliest);
  }

  private tick(): void {
    const { clock } = this.deps;
    this.wheel.expire(clock.monotonic(), (record) => {
      if (!record.active) this.background(this.forget(record));
      else if (record.expiresAt <= clock.now()) this.background(this.end(record, 'ok'));
      else this.watch(record);
    });
    this.alarm.wakeBy(this.wheel.earliest);
  }

  private async forget(record: SessionRecord): Promise<void> {
    if (this.sessions.get(record.key) === record) this.sessions.delete(record.key);
    this.wheel.clear(record.timer);
    await this.deps.store.delete(record.key);
  }

  private instanceGone(instanceId: string): void {
    if (this.closed) return;
    for (const record of this.sessions.values()) {
      if (record.active && record.stored.instanceId === instanceId) this.background(this.end(record, 'broken'));
    }
  }

  /** Sessions of a function that is gone, or that has another affinity now, have nobody left to serve. */
  private async functionChanged(account: string, name: string): Promise<void> {
    const { catalog } = this.deps;
    const gone = (await catalog.function(account, name)) === undefined;
    const spec = await catalog.spec(account, name, 'LATEST');
    for (const record of [...this.sessions.values()]) {
      const { stored } = record;
      if (stored.account !== account || stored.functionName !== name) continue;
      const other = stored.qualifier === 'LATEST' && spec?.config.sessionAffinity?.type !== stored.affinity;
      if (gone || other) await this.end(record, 'ok');
      if (gone) await this.forget(record);
    }
  }

  private background(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      this.deps.logger.log('error', 'a change of a session could not be stored', { error: String(error) });
    });
  }
}

function scopeOf(target: Target): SessionScope {
  const { account, functionName } = target.spec;
  return { account, functionName, qualifier: target.qualifier };
}

function affinityOf(target: Target): SessionAffinity {
  const { functionName, config } = target.spec;
  if (config.sessionAffinity !== undefined) return config.sessionAffinity;
  throw new TidemillError('InvalidArgument', `function '${functionName}' has no session affinity config`, {
    remedy: 'Set sessionAffinity to GENERATED_COOKIE or HEADER_FIELD: only these support sessions.',
  });
}

function invalidSession(id: string, what: string): TidemillError {
  return new TidemillError('InvalidSession', `session '${id.slice(0, LIMITS.sessionIdLength)}' ${what}`);
}

/** Sessions over scheduling. Call `start` once instances were adopted, `close` before scheduling is drained. */
export function createSessions(deps: SessionsDeps): Sessions & { start(): Promise<void>; close(): void } {
  return new SessionTable(deps);
}
