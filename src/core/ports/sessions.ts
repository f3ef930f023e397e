import type { SessionAffinity, SessionTimes } from '../domain/session.ts';
import type { Target } from './dispatch.ts';
import type { Lease } from './scheduling.ts';

/** A session: requests that carry its id go to its instance, until it expires or is deleted. */
export interface SessionView {
  readonly sessionId: string;
  readonly functionName: string;
  readonly qualifier: string;
  readonly instanceId: string;
  readonly affinity: SessionAffinity['type'];
  readonly status: 'Active' | 'Expired';
  readonly times: SessionTimes;
  /** Milliseconds since the epoch. */
  readonly createdTime: number;
  readonly lastModifiedTime: number;
}

/** What a call learns of the session it ran in. */
export interface CallSession {
  readonly id: string;
  /** The call began it: the caller has to be told. */
  readonly created: boolean;
  /** Seconds the caller may keep the id. */
  readonly maxAgeSeconds: number;
}

export interface SessionLease extends Lease {
  readonly session: CallSession;
}

/** Where a session belongs. */
export interface SessionScope {
  readonly account: string;
  readonly functionName: string;
  readonly qualifier: string;
}

/**
 * Sessions of functions with session affinity. Promises: calls of one session run on one instance; a session ends by
 * itself when its time is over, when its instance ends, or when its function goes away; one that was told to a caller is
 * there again after a restart of the server if its instance is.
 */
export interface Sessions {
  /**
   * A lease for one call. `sessionId`: as the caller sent it; undefined begins a new session. Rejects with InvalidSession
   * when the id is malformed, expired or (GENERATED_COOKIE) unknown, with ThrottledError when the instance has no slot left,
   * and like Scheduling.acquire when a new session finds no instance.
   */
  acquire(target: Target, sessionId: string | undefined, requestId: string, signal: AbortSignal): Promise<SessionLease>;
  /** Begins a session and starts its instance. Throws InvalidArgument when the function has no affinity or the id exists. */
  create(
    target: Target,
    options: Partial<SessionTimes> & { readonly sessionId?: string },
    requestId: string,
  ): Promise<SessionView>;
  /** Throws InvalidArgument when there is no such active session. */
  get(scope: SessionScope, sessionId: string): SessionView;
  /** Ordered by id. */
  list(account: string, functionName: string, qualifier: string | undefined): readonly SessionView[];
  update(scope: SessionScope, sessionId: string, changes: Partial<SessionTimes>): Promise<SessionView>;
  delete(scope: SessionScope, sessionId: string): Promise<void>;
}
