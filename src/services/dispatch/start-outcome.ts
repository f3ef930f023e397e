import type { FunctionErrorType } from '../../core/domain/invocation.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { isCustomRuntime, type VersionSpec } from '../../core/domain/version-spec.ts';
import type { StartFailure } from '../../core/ports/node-pool.ts';

/** What a failed start means for the call that waited for it: an answer of the function, or an error of the door. */
export type StartOutcome =
  | {
      readonly kind: 'answer';
      readonly errorType: FunctionErrorType;
      readonly payload: string;
      readonly message: string;
    }
  | { readonly kind: 'error'; readonly error: TidemillError };

/**
 * FC reference 4.5, 4.6: a failing initializer and code that does not load answer like a function error; a custom runtime
 * that does not come up is a 412; no room is a 503.
 */
export function startOutcome(failure: StartFailure, spec: VersionSpec): StartOutcome {
  const { kind, message } = failure;
  switch (kind) {
    case 'initialization':
      return answer('InitializationError', failure);
    case 'load':
      return answer('UnhandledInvocationError', failure);
    case 'not-started':
    case 'exited':
      if (!isCustomRuntime(spec.config.runtime)) return answer('UnhandledInvocationError', failure);
      return {
        kind: 'error',
        error: new TidemillError(kind === 'exited' ? 'CAExited' : 'FunctionNotStarted', message),
      };
    case 'no-capacity':
      return { kind: 'error', error: new TidemillError('ResourceThrottled', message) };
    case 'platform':
      return { kind: 'error', error: new TidemillError('InternalServerError', message) };
  }
}

function answer(errorType: FunctionErrorType, failure: StartFailure): StartOutcome {
  const { message } = failure;
  const payload = failure.payload ?? JSON.stringify({ errorMessage: message, errorType, stackTrace: [] });
  return { kind: 'answer', errorType, payload, message };
}

/** The `errorMessage` of an error payload, for the fact about the call; the whole text when it is not the field's shape. */
export function errorMessageOf(payload: Uint8Array | string): string {
  const text = (typeof payload === 'string' ? payload : Buffer.from(payload).toString()).slice(0, 4_096);
  return /"errorMessage"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? text.slice(0, 256);
}
