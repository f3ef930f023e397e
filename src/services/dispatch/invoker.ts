import { TidemillError } from '../../core/domain/errors.ts';
import type { InvocationTimings } from '../../core/domain/invocation.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import { LogTail } from '../../core/domain/log-tail.ts';
import { ThrottledError } from '../../core/domain/overload.ts';
import { isCustomRuntime, type VersionSpec } from '../../core/domain/version-spec.ts';
import type { InvokeAnswer, InvokeCommand, Target } from '../../core/ports/dispatch.ts';
import { InstanceStartError, type StartFailure } from '../../core/ports/node-pool.ts';
import type { Lease, Scheduling } from '../../core/ports/scheduling.ts';
import type { Sessions } from '../../core/ports/sessions.ts';
import { accountDisabled } from './account-disabled.ts';
import { keepFailed } from './failure-keeping.ts';
import { type CallDeps, type PlaceAgain, RunningCall } from './running-call.ts';
import { settled } from './settlement.ts';
import { errorMessageOf, startOutcome } from './start-outcome.ts';

const NEVER_RAN: InvocationTimings = {
  queuedMs: 0,
  sandboxMs: 0,
  runtimeMs: 0,
  codeMs: 0,
  initializerMs: 0,
  handlerMs: 0,
  cold: false,
};

/** From a resolved command to its answer: a lease, the call on it, and what a failed start means. */
export class Invoker {
  private readonly deps: CallDeps;
  private readonly scheduling: Scheduling;
  private readonly sessions: Sessions;
  private readonly again: PlaceAgain = (command, invocation, waitedMs) => this.wait(command, invocation, waitedMs);

  constructor(deps: CallDeps, scheduling: Scheduling, sessions: Sessions) {
    this.deps = deps;
    this.sessions = sessions;
    this.scheduling = scheduling;
  }

  invoke(command: InvokeCommand, invocation: 'sync' | 'async'): Promise<InvokeAnswer> {
    const { account } = command.target.spec;
    if (!this.deps.states.isActive(account)) return Promise.reject(accountDisabled(account));
    const refusal = refusalOf(command) ?? this.deps.guard.refusal(command, invocation);
    if (refusal !== undefined) return Promise.reject(refusal);
    this.deps.callBegan();
    const { spec } = command.target;
    const affine = spec.config.sessionAffinity !== undefined;
    const lease = affine ? undefined : this.scheduling.acquireNow(spec, command.requestId);
    if (lease !== undefined) return this.run(command, invocation, lease, 0);
    return this.wait(command, invocation, 0);
  }

  /** See LoopGuard.turn. */
  turn(command: InvokeCommand): Promise<() => void> {
    return this.deps.guard.turn(command);
  }

  /** Starts or finds one instance without calling the handler. Rejects with InstanceStartError when the function is at fault. */
  async warm(target: Target, requestId: string): Promise<{ instanceId: string; startLog: string }> {
    try {
      const lease = await this.scheduling.acquire(target.spec, requestId, new AbortController().signal);
      const { instanceId, startLog } = lease;
      this.recordOutput(target.spec, requestId, startLog);
      lease.release('ok');
      return { instanceId, startLog };
    } catch (error) {
      if (error instanceof InstanceStartError && !isFunctionsFault(error.failure)) {
        const outcome = startOutcome(error.failure, target.spec);
        if (outcome.kind === 'error') throw outcome.error;
      }
      throw error;
    }
  }

  private async wait(command: InvokeCommand, invocation: 'sync' | 'async', waitedMs: number): Promise<InvokeAnswer> {
    const begin = this.deps.clock.monotonic() - waitedMs;
    const { target, requestId, lineage } = command;
    const started = this.deps.traffic.starting(target.spec, requestId, lineage);
    let lease: Lease;
    try {
      // Before an instance is started for it: a function whose role is gone does not run.
      this.deps.identity.credentialsFor(target.spec.account, target.spec.functionArn, target.spec.config.role);
      lease = await this.lease(command);
    } catch (error) {
      return this.neverRan(command, invocation, error, this.deps.clock.monotonic() - begin);
    } finally {
      started();
    }
    if (command.signal.aborted) {
      lease.release('ok');
      return this.neverRan(command, invocation, command.signal.reason, this.deps.clock.monotonic() - begin);
    }
    return this.run(command, invocation, lease, waitedMs);
  }

  private run(
    command: InvokeCommand,
    invocation: 'sync' | 'async',
    lease: Lease,
    waitedMs: number,
  ): Promise<InvokeAnswer> {
    let call: RunningCall;
    try {
      call = new RunningCall(this.deps, command, invocation, lease, this.again, waitedMs);
    } catch (error) {
      // No credentials: the function's role is gone, or trusts functions no longer.
      lease.release('unbegun');
      return this.refused(command, invocation, error, waitedMs);
    }
    if (lease.behind !== true) command.onStarted?.(lease.instanceId);
    return call.start();
  }

  private async refused(
    command: InvokeCommand,
    invocation: 'sync' | 'async',
    error: unknown,
    waitedMs: number,
  ): Promise<InvokeAnswer> {
    return this.neverRan(command, invocation, error, waitedMs);
  }

  private lease({ target, sessionId, requestId, signal }: InvokeCommand): Promise<Lease> {
    if (target.spec.config.sessionAffinity === undefined) {
      return this.scheduling.acquire(target.spec, requestId, signal);
    }
    return this.sessions.acquire(target, sessionId, requestId, signal);
  }

  /** No lease: an answer when the function's own code is to blame, an error otherwise. Recorded either way. */
  private neverRan(
    command: InvokeCommand,
    invocation: 'sync' | 'async',
    cause: unknown,
    queuedMs: number,
  ): InvokeAnswer {
    const { clock, facts } = this.deps;
    const timings = { ...NEVER_RAN, queuedMs };
    const record = (status: number, more: object): void =>
      facts.append(
        settled(command, invocation, clock.now(), {
          instanceId: '',
          status,
          durationMs: 0,
          maxMemoryMb: 0,
          timings,
          ...more,
        }),
      );
    this.deps.callEnded();
    let error = errorOf(command, cause);
    if (cause instanceof InstanceStartError) {
      this.recordOutput(command.target.spec, command.requestId, cause.failure.startLog);
      const outcome = startOutcome(cause.failure, command.target.spec);
      if (outcome.kind === 'answer') {
        const { errorType, payload, message } = outcome;
        keepFailed(this.deps.failed, command, clock.now());
        record(200, { errorType, errorMessage: errorMessageOf(payload) });
        const logTail = logTailOf(command, cause.failure, message);
        const answer = {
          instanceId: '',
          errorType,
          payload: Buffer.from(payload),
          durationMs: 0,
          maxMemoryMb: 0,
          timings,
        };
        return logTail === undefined ? answer : { ...answer, logTail };
      }
      error = outcome.error;
    }
    const throttled = error instanceof ThrottledError ? { throttled: error.reason } : {};
    record(error.status, { errorMessage: error.message, ...throttled });
    throw error;
  }

  private recordOutput(spec: VersionSpec, requestId: string, startLog: string): void {
    if (startLog === '') return;
    this.deps.facts.append({
      type: 'output-written',
      at: this.deps.clock.now(),
      account: spec.account,
      functionName: spec.functionName,
      requestId,
      instanceId: '',
      versionId: spec.versionId,
      text: startLog.replace(/\r?\n$/, ''),
    });
  }
}

function isFunctionsFault(failure: StartFailure): boolean {
  return failure.kind !== 'no-capacity' && failure.kind !== 'platform';
}

function refusalOf(command: InvokeCommand): TidemillError | undefined {
  const { input } = command;
  if (input.kind === 'event' && input.payload.byteLength > LIMITS.syncPayloadBytes) return tooLarge();
  if (input.kind === 'http') {
    const { body } = input.call;
    if (body instanceof Uint8Array && body.byteLength > LIMITS.syncPayloadBytes) return tooLarge();
    if (!isCustomRuntime(command.target.spec.config.runtime)) {
      return new TidemillError('InvalidArgument', 'an HTTP call needs a custom runtime; built-in runtimes take events');
    }
  }
  return undefined;
}

function tooLarge(): TidemillError {
  const limit = LIMITS.syncPayloadBytes;
  return new TidemillError('EntityTooLarge', `payload size exceeds maximum allowed size (${limit} bytes)`);
}

function errorOf(command: InvokeCommand, cause: unknown): TidemillError {
  if (command.signal.aborted) {
    return new TidemillError('ClientClosedRequest', 'the caller went away while the call waited for an instance');
  }
  if (cause instanceof TidemillError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new TidemillError('InternalServerError', `no instance could be had: ${message}`, { cause });
}

function logTailOf(command: InvokeCommand, failure: StartFailure, message: string): string | undefined {
  const { config } = command.target.spec;
  if (!command.logTail || isCustomRuntime(config.runtime) || config.instanceConcurrency > 1) return undefined;
  const { requestId } = command;
  const tail = new LogTail(LIMITS.logTailBytes, requestId, failure.startLog);
  const memorySizeMb = config.memorySize;
  return tail.finish({ requestId, durationMs: 0, billedMs: 0, memorySizeMb, maxMemoryMb: 0, error: message });
}
