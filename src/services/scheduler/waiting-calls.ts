import type { InvocationTimings } from '../../core/domain/invocation.ts';
import type { VersionSpec } from '../../core/domain/version-spec.ts';
import type { Lease } from '../../core/ports/scheduling.ts';
import type { InstanceRecord } from './instance-record.ts';
import { WARM_TIMINGS } from './lease.ts';

/** A caller that waits for its lease. Settles once; leaves its signal alone afterwards. */
export class WaitingCall {
  readonly requestId: string;
  readonly spec: VersionSpec;
  readonly promise: Promise<Lease>;
  private readonly since: number;
  private readonly signal: AbortSignal;
  private readonly settled = Promise.withResolvers<Lease>();
  private readonly onAbort: () => void;

  constructor(options: {
    requestId: string;
    spec: VersionSpec;
    since: number;
    signal: AbortSignal;
    onAbort: () => void;
  }) {
    this.requestId = options.requestId;
    this.spec = options.spec;
    this.since = options.since;
    this.signal = options.signal;
    this.promise = this.settled.promise;
    this.onAbort = options.onAbort;
    this.signal.addEventListener('abort', this.onAbort, { once: true });
  }

  resolve(lease: Lease): void {
    this.signal.removeEventListener('abort', this.onAbort);
    this.settled.resolve(lease);
  }

  reject(error: unknown): void {
    this.signal.removeEventListener('abort', this.onAbort);
    this.settled.reject(error);
  }

  /** `record`: the start this call waited for; the rest of the waiting counts as queueing. */
  timings(
    now: number,
    record: Pick<InstanceRecord, 'started' | 'placedMs' | 'coldReason'> | undefined,
  ): InvocationTimings {
    const waitedMs = now - this.since;
    const started = record?.started;
    if (record === undefined || started === undefined) return { ...WARM_TIMINGS, queuedMs: waitedMs };
    const { sandboxMs, runtimeMs, codeMs, initializerMs } = started.timings;
    const { placedMs, coldReason: reason } = record;
    const queuedMs = Math.max(0, waitedMs - placedMs - sandboxMs - runtimeMs - codeMs - initializerMs);
    return { queuedMs, placedMs, sandboxMs, runtimeMs, codeMs, initializerMs, handlerMs: 0, cold: true, reason };
  }
}
