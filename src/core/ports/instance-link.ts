import type { CancelSignal } from '../base/cancel-signal.ts';
import type { TemporaryCredentials } from '../domain/credentials.ts';
import type { InstanceAddress } from '../domain/instance.ts';
import type { FunctionErrorType, HttpCall, HttpReply } from '../domain/invocation.ts';
import type { VersionSpec } from '../domain/version-spec.ts';

export interface InstanceCall {
  readonly requestId: string;
  /** Of the lease; an instance refuses calls of an epoch older than the newest it has seen. */
  readonly epoch: number;
  readonly qualifier: string;
  readonly retryCount: number;
  /** Wall-clock milliseconds at which the function's timeout ends. */
  readonly deadline: number;
  readonly credentials: TemporaryCredentials;
  readonly input:
    | { readonly kind: 'event'; readonly payload: Uint8Array }
    | { readonly kind: 'http'; readonly call: HttpCall };
  /** Output of the function during this call, as it arrives (built-in runtimes only). Not aligned to lines. */
  onOutput?(text: string): void;
  /** It begins now: at once, or after it waited behind another call of its instance. */
  onBegun?(): void;
  /** Aborted: the caller is gone or the time is up. The link stops waiting and rejects; the instance may still run. */
  readonly signal: CancelSignal;
}

export interface InstanceAnswer {
  readonly errorType: FunctionErrorType | undefined;
  readonly payload: Uint8Array | AsyncIterable<Uint8Array>;
  /** Only for `http` input to custom runtimes. */
  readonly reply?: HttpReply;
  /** Peak memory the runtime itself saw, MB; undefined when it cannot tell. */
  readonly memoryMb?: number;
  /** It took so little time that others may be sent behind such calls instead of to an instance of their own. */
  readonly quick?: boolean;
}

/** The connection broke or the instance ended before the answer was complete. */
export class LinkBrokenError extends Error {
  override readonly name = 'LinkBrokenError';
}

/** The call waited behind another of its instance and has surely not begun: it may be placed again. */
export class NotBegunError extends Error {
  override readonly name = 'NotBegunError';
}

/** A lease of an older epoch was refused by the instance. */
export class StaleEpochError extends Error {
  override readonly name = 'StaleEpochError';
}

/**
 * The server's way to one instance: one hop, no process between. Promises: one answer or one rejection per call
 * (LinkBrokenError, NotBegunError, StaleEpochError, a TidemillError BadResponse when the function's own server answered with invalid
 * HTTP, or the signal's reason); answers never cross between calls; calls up to the function's
 * concurrency may be in flight at once.
 */
export interface InstanceLink {
  invoke(call: InstanceCall): Promise<InstanceAnswer>;
  /** Takes a call back that waits behind another: it rejects with NotBegunError, unless it begins before. */
  revoke?(call: InstanceCall): void;
  /** Request ids the instance was still working on when the link was made (after a server restart). */
  readonly busyAtConnect: readonly string[];
  /** Resolves when everything in `busyAtConnect` has ended; stays pending when the link breaks before: race with `closed`. */
  drained(): Promise<void>;
  /** Resolves when the link is gone, for whatever reason. */
  readonly closed: Promise<void>;
  close(): void;
}

export interface InstanceDialer {
  dial(address: InstanceAddress, spec: VersionSpec, epoch: number): Promise<InstanceLink>;
}
