import type { InvocationTimings } from '../../core/domain/invocation.ts';
import type { RequestHead } from './exchange.ts';

const HEADER = 'x-tidemill-timings';

/** True when the caller asks where the time went: `x-tidemill-trace: timings`. */
export function wantsTimings(req: RequestHead): boolean {
  return req.headers['x-tidemill-trace'] === 'timings';
}

/** The answer's header: where the time went, milliseconds, in the syntax of Server-Timing; `reason` for a cold start. */
export function timingHeader(timings: InvocationTimings): readonly [string, string] {
  const phases: readonly (readonly [string, number])[] = [
    ['queued', timings.queuedMs],
    ['placed', timings.placedMs ?? 0],
    ['sandbox', timings.sandboxMs],
    ['runtime', timings.runtimeMs],
    ['code', timings.codeMs],
    ['initializer', timings.initializerMs],
    ['handler', timings.handlerMs],
  ];
  const parts = phases.map(([name, ms]) => `${name};dur=${ms.toFixed(3)}`);
  if (timings.cold) parts.push(`cold;desc="${timings.reason ?? 'scaled out'}"`);
  return [HEADER, parts.join(', ')];
}
