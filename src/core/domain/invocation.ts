/** The field's names for a failure inside the function, header `x-fc-error-type` (FC reference 4.6). */
export type FunctionErrorType = 'HandledInvocationError' | 'UnhandledInvocationError' | 'InitializationError';

/**
 * Why no warm instance served a call. `scaled out`: all were busy. The others say how the function's last instance ended:
 * idle for too long, removed to make room, replaced by a change of the function, crashed or killed for its time.
 */
export type ColdReason = 'first call' | 'scaled out' | 'expired' | 'evicted' | 'updated' | 'crashed';

/** Milliseconds spent in each phase of one invocation. Cold phases are 0 when a warm instance served it. */
export interface InvocationTimings {
  readonly queuedMs: number;
  /** To the node, back, and to the instance's socket; absent when nothing was started. */
  readonly placedMs?: number;
  readonly sandboxMs: number;
  readonly runtimeMs: number;
  readonly codeMs: number;
  readonly initializerMs: number;
  readonly handlerMs: number;
  readonly cold: boolean;
  /** Of a cold start. */
  readonly reason?: ColdReason;
}

/** An HTTP request on its way to a function: hop-by-hop headers are already gone. */
export interface HttpCall {
  readonly method: string;
  /** Path and query as sent, still percent-encoded. */
  readonly target: string;
  /** Name, value pairs in order of arrival; names as sent. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: AsyncIterable<Uint8Array> | Uint8Array;
}

export interface HttpReply {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
}
