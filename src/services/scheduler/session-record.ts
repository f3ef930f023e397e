import { Deadline } from '../../core/base/deadline-wheel.ts';
import type { SessionAffinity, SessionTimes } from '../../core/domain/session.ts';
import type { Lease } from '../../core/ports/scheduling.ts';
import type { SessionScope, SessionView } from '../../core/ports/sessions.ts';

/** A session as it is stored. Times of day, milliseconds. */
export interface StoredSession extends SessionScope {
  readonly sessionId: string;
  readonly affinity: SessionAffinity['type'];
  readonly instanceId: string;
  readonly status: 'Active' | 'Expired';
  readonly times: SessionTimes;
  readonly createdTime: number;
  readonly lastModifiedTime: number;
}

/** A session in memory: the slot it keeps on its instance, and the calls that run in it. */
export class SessionRecord {
  stored: StoredSession;
  /** The slot; undefined once the session has ended. */
  lease: Lease | undefined;
  inFlight = 0;
  /** How its slot is to be given back. */
  outcome: Parameters<Lease['release']>[0] = 'ok';
  /** Time of day. */
  lastUsed: number;
  readonly timer: Deadline<SessionRecord>;

  constructor(stored: StoredSession, lease: Lease | undefined, now: number) {
    this.stored = stored;
    this.lease = lease;
    this.lastUsed = now;
    this.timer = new Deadline<SessionRecord>(this);
  }

  get key(): string {
    return sessionKey(this.stored, this.stored.sessionId);
  }

  get active(): boolean {
    return this.stored.status === 'Active';
  }

  /** When it expires if nothing happens before, time of day. A running call keeps it from expiring idly. */
  get expiresAt(): number {
    const { createdTime, times } = this.stored;
    const over = createdTime + times.ttlSeconds * 1_000;
    return this.inFlight > 0 ? over : Math.min(over, this.lastUsed + times.idleSeconds * 1_000);
  }

  view(): SessionView {
    const { sessionId, functionName, qualifier, instanceId, affinity, status, times } = this.stored;
    const { createdTime, lastModifiedTime } = this.stored;
    return { sessionId, functionName, qualifier, instanceId, affinity, status, times, createdTime, lastModifiedTime };
  }
}

/** Where sessions are kept in the metadata store: `sessions/ACCOUNT/FUNCTION/QUALIFIER/ID`. */
export const SESSIONS_PREFIX = 'sessions/';

export function sessionKey(scope: SessionScope, sessionId: string): string {
  return `${SESSIONS_PREFIX}${scope.account}/${scope.functionName}/${scope.qualifier}/${sessionId}`;
}
