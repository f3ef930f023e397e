/**
 * The field's words for a function that failed without an answer of its own (FC reference 4.1, 4.6). One place, since the
 * documentation leaves some of them open.
 */
export interface FunctionFailure {
  readonly errorMessage: string;
  readonly errorType: string;
  readonly stackTrace: readonly string[];
}

/** "Function timed out after 3 seconds (maxMemoryUsage: 30.99 MB)". */
export function timedOut(timeoutSeconds: number, maxMemoryMb: number): FunctionFailure {
  const errorMessage = `Function timed out after ${timeoutSeconds} seconds (maxMemoryUsage: ${maxMemoryMb.toFixed(2)} MB)`;
  return { errorMessage, errorType: 'FunctionTimeoutError', stackTrace: [] };
}

/** The process allocated past the function's memory. */
export function outOfMemory(memorySizeMb: number, durationMs: number, maxMemoryMb: number): FunctionFailure {
  const usage = `duration: ${Math.round(durationMs)}ms, maxMemoryUsage: ${maxMemoryMb.toFixed(2)}MB`;
  return {
    errorMessage: `Function ran out of memory: its instance used more than the memory size of ${memorySizeMb} MB (${usage})`,
    errorType: 'FunctionOOMError',
    stackTrace: [],
  };
}

/** The process ended, or closed the connection, before it answered. */
export function exitedUnexpectedly(durationMs: number, maxMemoryMb: number): FunctionFailure {
  const memory = maxMemoryMb === 0 ? '0' : maxMemoryMb.toFixed(2);
  return {
    errorMessage: `Process exited unexpectedly before completing request (duration: ${Math.round(durationMs)}ms, maxMemoryUsage: ${memory}MB)`,
    errorType: 'FunctionUnhandledError',
    stackTrace: [],
  };
}

/** The answer is longer than the platform passes on. */
export function answerTooLarge(limitBytes: number): FunctionFailure {
  return {
    errorMessage: `The response payload exceeds the maximum allowed size (${limitBytes} bytes)`,
    errorType: 'ResponsePayloadTooLarge',
    stackTrace: [],
  };
}
