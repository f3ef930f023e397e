import type { CancelSignal } from '../../core/base/cancel-signal.ts';
import type { Clock } from '../../core/base/clock.ts';
import type { TemporaryCredentials } from '../../core/domain/credentials.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { AccountStates } from '../../core/ports/accounts.ts';
import type { FactLog } from '../../core/ports/fact-log.ts';
import type { FailedCalls } from '../../core/ports/failed-calls.ts';
import {
  answerTooLarge,
  exitedUnexpectedly,
  type FunctionFailure,
  outOfMemory,
  timedOut,
} from '../../core/domain/function-failure.ts';
import type { InstanceExit } from '../../core/domain/instance.ts';
import type { FunctionErrorType, InvocationTimings } from '../../core/domain/invocation.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import { TaskStopped } from '../../core/domain/task-stopped.ts';
import { LogTail } from '../../core/domain/log-tail.ts';
import { isCustomRuntime } from '../../core/domain/version-spec.ts';
import type { InvokeAnswer, InvokeCommand } from '../../core/ports/dispatch.ts';
import type { Identity } from '../../core/ports/identity.ts';
import {
  type InstanceAnswer,
  type InstanceCall,
  LinkBrokenError,
  NotBegunError,
  StaleEpochError,
} from '../../core/ports/instance-link.ts';
import type { Lease } from '../../core/ports/scheduling.ts';
import { Deadline, type Deadlines, type Expiring } from './deadlines.ts';
import { keepFailed } from './failure-keeping.ts';
import { HeldStream, type StreamHolder } from './held-stream.ts';
import type { InstanceTraffic, Traffic, TrafficCall } from './instance-traffic.ts';
import { LineBuffer } from './line-buffer.ts';
import type { LoopGuard } from './loop-guard.ts';
import { billedMs, settled } from './settlement.ts';
import { errorMessageOf } from './start-outcome.ts';

export interface CallDeps {
  readonly clock: Clock;
  readonly identity: Pick<Identity, 'credentialsFor'>;
  readonly states: AccountStates;
  readonly facts: FactLog;
  readonly deadlines: Deadlines;
  readonly traffic: Traffic;
  readonly guard: LoopGuard;
  /** Undefined: payloads of failed calls are not kept. */
  readonly failed: Pick<FailedCalls, 'keep'> | undefined;
  /** A call was let in; it may still wait for its lease. */
  callBegan(): void;
  /** It has ended, streamed answer included. */
  callEnded(): void;
}

/** A call waits this long behind another, ms: then it is taken back and placed elsewhere. */
const PATIENCE_MS = 5;
/** A broken connection and the exit behind it are told apart by this much at most, ms. */
const EXIT_GRACE_MS = 1_000;

/** Finds another instance for a call that was taken back before it began. `waitedMs`: how long it has waited already. */
export type PlaceAgain = (
  command: InvokeCommand,
  invocation: 'sync' | 'async',
  waitedMs: number,
) => Promise<InvokeAnswer>;

/**
 * One call on its instance, from lease to settled. It is itself what the link is given and what waits for its deadline, so
 * that a warm call allocates little. Settles exactly once, whatever arrives first: answer, exit, deadline or abort.
 */
export class RunningCall implements InstanceCall, TrafficCall, Expiring, StreamHolder {
  readonly requestId: string;
  readonly epoch: number;
  readonly qualifier: string;
  readonly retryCount: number;
  deadline: number;
  readonly credentials: TemporaryCredentials;
  readonly input: InvokeCommand['input'];
  readonly signal: CancelSignal;
  private readonly deps: CallDeps;
  private readonly command: InvokeCommand;
  private readonly invocation: 'sync' | 'async';
  private readonly lease: Lease;
  private readonly traffic: InstanceTraffic;
  private begin: number;
  private begun: boolean;
  /** Waited behind other calls or for instances that it was taken back from, ms. */
  private waitedMs: number;
  private readonly again: PlaceAgain;
  private readonly timer: Deadline<Expiring>;
  private readonly tail: LogTail | undefined;
  /** Own signal for links that learn of the end of the call only by it; undefined when the connection's end tells them. */
  private readonly abort: AbortController | undefined;
  private readonly settlement = Promise.withResolvers<InvokeAnswer>();
  private lines: LineBuffer | undefined = undefined;
  private stream: HeldStream | undefined = undefined;
  private streamed: InstanceAnswer | undefined = undefined;
  private linkBroken = false;
  private over = false;

  constructor(
    deps: CallDeps,
    command: InvokeCommand,
    invocation: 'sync' | 'async',
    lease: Lease,
    again: PlaceAgain,
    waitedMs = 0,
  ) {
    const { spec, qualifier } = command.target;
    const { config } = spec;
    this.deps = deps;
    this.command = command;
    this.invocation = invocation;
    this.lease = lease;
    this.requestId = command.requestId;
    this.epoch = lease.epoch;
    this.qualifier = qualifier;
    this.retryCount = command.retryCount ?? 0;
    this.credentials = deps.identity.credentialsFor(spec.account, spec.functionArn, config.role);
    this.input = command.input;
    this.begin = deps.clock.monotonic();
    this.begun = lease.behind !== true;
    this.again = again;
    this.waitedMs = waitedMs;
    this.deadline = deps.clock.now() + config.timeout * 1_000;
    this.timer = new Deadline<Expiring>(this);
    const custom = isCustomRuntime(config.runtime);
    this.tail =
      command.logTail && !custom && config.instanceConcurrency === 1
        ? new LogTail(LIMITS.logTailBytes, command.requestId, lease.startLog)
        : undefined;
    this.abort = custom ? new AbortController() : undefined;
    this.signal = this.abort?.signal ?? command.cancel ?? command.signal;
    this.traffic = deps.traffic.of(lease.instanceId, spec);
  }

  start(): Promise<InvokeAnswer> {
    const { command, deps, lease } = this;
    if (this.begun) {
      this.traffic.calls.add(this);
      deps.deadlines.set(this.timer, this.begin + command.target.spec.config.timeout * 1_000);
    } else deps.deadlines.set(this.timer, this.begin + PATIENCE_MS);
    if (lease.startLog !== '') this.record(lease.startLog.replace(/\r?\n$/, ''));
    if (this.abort !== undefined) {
      if (command.signal.aborted) this.abort.abort(command.signal.reason);
      command.signal.addEventListener('abort', this, { once: true });
    }
    lease.link.invoke(this).then(
      (answer) => this.onAnswer(answer),
      (error) => this.onFailure(error),
    );
    return this.settlement.promise;
  }

  /** The caller's signal, for calls with a signal of their own and for streamed answers. */
  handleEvent(): void {
    this.abort?.abort(this.command.signal.reason);
    // The head of the answer is out: nobody reads the rest any more.
    if (this.stream !== undefined) this.cancelled();
  }

  get lineage(): InvokeCommand['lineage'] {
    return this.command.lineage;
  }

  /** The calls it waited behind have been answered: its time runs from now on. */
  onBegun(): void {
    if (this.begun || this.over) return;
    const { clock, deadlines } = this.deps;
    const now = clock.monotonic();
    this.waitedMs += now - this.begin;
    this.begun = true;
    this.begin = now;
    const timeoutMs = this.command.target.spec.config.timeout * 1_000;
    this.deadline = clock.now() + timeoutMs;
    this.traffic.calls.add(this);
    this.command.onStarted?.(this.lease.instanceId);
    deadlines.set(this.timer, now + timeoutMs);
  }

  onOutput(text: string): void {
    if (this.over) return;
    this.tail?.append(text);
    this.lines ??= new LineBuffer((lines) => this.record(lines));
    this.lines.push(text);
  }

  onInstanceOutput(lines: string): void {
    this.tail?.append(`${lines}\n`);
  }

  onInstanceExit(exit: InstanceExit): void {
    if (this.over) return;
    // What it sent before it ended may still be on its way: the link has the last word, for a moment.
    if (this.linkBroken) this.exited(exit);
    else this.deps.deadlines.set(this.timer, this.deps.clock.monotonic() + EXIT_GRACE_MS);
  }

  onDeadline(): void {
    if (this.over) return;
    const { exit } = this.traffic;
    if (exit !== undefined || this.linkBroken) return this.exited(exit);
    if (!this.begun) return this.lease.link.revoke?.(this);
    const { timeout } = this.command.target.spec.config;
    this.failed(timedOut(timeout, this.memoryMb(undefined)), 'timeout');
  }

  streamEnded(finished: boolean): void {
    if (this.over) return;
    if (finished) this.finish('ok', this.streamed);
    else this.cancelled();
  }

  streamFailed(error: unknown): unknown {
    if (this.over) return error;
    if (this.command.signal.aborted) {
      this.cancelled();
      return error;
    }
    if (error instanceof LinkBrokenError) {
      const failure = this.failureOf(this.traffic.exit);
      this.finish('broken', { errorType: 'UnhandledInvocationError', payload: EMPTY }, failure.errorMessage);
      return new TidemillError('BadResponse', failure.errorMessage);
    }
    this.finish(this.interrupted(), { errorType: 'UnhandledInvocationError', payload: EMPTY }, String(error));
    return error;
  }

  private onAnswer(answer: InstanceAnswer): void {
    const { payload } = answer;
    if (this.over) {
      if (!(payload instanceof Uint8Array))
        payload[Symbol.asyncIterator]()
          .return?.()
          .catch(() => {});
      return;
    }
    if (!(payload instanceof Uint8Array)) return this.streaming(answer, payload);
    if (payload.byteLength > LIMITS.responsePayloadBytes && answer.reply === undefined) {
      return this.failed(answerTooLarge(LIMITS.responsePayloadBytes), 'ok');
    }
    const timings = this.finish(answer.quick === true ? 'quick' : 'ok', answer);
    this.settlement.resolve(this.answer(answer, payload, timings));
  }

  private streaming(answer: InstanceAnswer, payload: AsyncIterable<Uint8Array>): void {
    if (this.command.signal.aborted) {
      payload[Symbol.asyncIterator]()
        .return?.()
        .catch(() => {});
      return this.cancelled();
    }
    // HTTP answers of custom runtimes may be endless (server-sent events); results of an event have their limit.
    const limitBytes = answer.reply === undefined ? LIMITS.responsePayloadBytes : Number.POSITIVE_INFINITY;
    const tooLong = (): Error =>
      new TidemillError('BadResponse', answerTooLarge(LIMITS.responsePayloadBytes).errorMessage);
    this.streamed = answer;
    this.stream = new HeldStream(payload, this, { limitBytes, tooLong });
    if (this.abort === undefined) this.command.signal.addEventListener('abort', this, { once: true });
    this.settlement.resolve(this.answer(answer, this.stream, this.timings(this.elapsed())));
  }

  private onFailure(error: unknown): void {
    if (this.over) return;
    if (error instanceof NotBegunError) return this.takenBack();
    if (this.command.signal.aborted) return this.cancelled();
    if (error instanceof LinkBrokenError) {
      this.linkBroken = true;
      if (this.traffic.exit !== undefined) return this.exited(this.traffic.exit);
      return this.deps.deadlines.set(this.timer, this.deps.clock.monotonic() + EXIT_GRACE_MS);
    }
    if (error instanceof StaleEpochError) {
      return this.refused(
        new TidemillError('ResourceThrottled', 'another server has taken over the instance'),
        'broken',
      );
    }
    if (error instanceof TidemillError) {
      return this.refused(error, error.code === 'BadResponse' ? 'ok' : this.interrupted());
    }
    const message = `the call to the instance failed: ${error instanceof Error ? error.message : String(error)}`;
    this.refused(new TidemillError('InternalServerError', message, { cause: error }), 'broken');
  }

  /** It never began: nothing is recorded of this lease, the next one decides. */
  private takenBack(): void {
    this.over = true;
    const { clock, deadlines } = this.deps;
    deadlines.clear(this.timer);
    this.lease.release('unbegun');
    const waitedMs = this.waitedMs + clock.monotonic() - this.begin;
    this.settlement.resolve(this.again(this.command, this.invocation, waitedMs));
  }

  private exited(exit: InstanceExit | undefined): void {
    this.failed(this.failureOf(exit), 'broken');
  }

  private failureOf(exit: InstanceExit | undefined): FunctionFailure {
    const durationMs = this.elapsed();
    const { memorySize } = this.command.target.spec.config;
    const memoryMb = this.memoryMb(undefined);
    return exit?.reason === 'oom'
      ? outOfMemory(memorySize, durationMs, memoryMb)
      : exitedUnexpectedly(durationMs, memoryMb);
  }

  /** How a slot comes back when the caller stopped waiting while the function runs on (FC reference 4.5). */
  private interrupted(): 'kill' | 'stop' | 'ok' {
    if (this.command.target.spec.config.instanceConcurrency > 1) return 'ok';
    return this.command.signal.reason instanceof TaskStopped ? 'stop' : 'kill';
  }

  private cancelled(): void {
    if (this.over) return;
    const usage = `duration: ${Math.round(this.elapsed())}ms, maxMemoryUsage: ${this.memoryMb(undefined).toFixed(2)}MB`;
    const error = new TidemillError('ClientClosedRequest', `Invocation canceled by client (${usage})`);
    this.refused(error, this.interrupted());
  }

  /** The function failed without an answer of its own: the field's payload is the answer. */
  private failed(failure: FunctionFailure, release: 'ok' | 'broken' | 'timeout'): void {
    const payload = Buffer.from(JSON.stringify(failure));
    const answer: InstanceAnswer = { errorType: 'UnhandledInvocationError', payload };
    const timings = this.finish(release, answer, failure.errorMessage);
    this.abort?.abort(new Error(failure.errorMessage));
    if (this.stream === undefined) this.settlement.resolve(this.answer(answer, payload, timings, failure.errorMessage));
    else this.stream.fail(new TidemillError('BadResponse', failure.errorMessage));
  }

  private refused(error: TidemillError, release: 'ok' | 'broken' | 'kill' | 'stop'): void {
    this.finish(release, undefined, error.message, error.status);
    this.abort?.abort(error);
    if (this.stream === undefined) this.settlement.reject(error);
    else this.stream.fail(error);
  }

  /** Gives everything back and records the end. Exactly once. */
  private finish(
    release: 'ok' | 'quick' | 'broken' | 'kill' | 'timeout' | 'stop',
    answer: InstanceAnswer | undefined,
    message?: string,
    status = 200,
  ): InvocationTimings {
    this.over = true;
    const { deps, command } = this;
    const durationMs = this.elapsed();
    deps.deadlines.clear(this.timer);
    if (this.begun) this.traffic.leave(this);
    if (this.abort !== undefined || this.stream !== undefined) command.signal.removeEventListener('abort', this);
    this.lines?.flush();
    this.lease.release(release);
    const timings = this.timings(durationMs);
    const errorType = answer?.errorType;
    const at = deps.clock.now();
    const errorMessage = message ?? errorText(errorType, answer?.payload);
    if (errorMessage !== undefined) keepFailed(deps.failed, command, at);
    deps.facts.append(
      settled(command, this.invocation, at, {
        instanceId: this.lease.instanceId,
        status,
        errorType,
        errorMessage,
        durationMs,
        maxMemoryMb: this.memoryMb(answer),
        timings,
      }),
    );
    deps.callEnded();
    return timings;
  }

  private answer(
    answer: InstanceAnswer,
    payload: InvokeAnswer['payload'],
    timings: InvocationTimings,
    message?: string,
  ): InvokeAnswer {
    const maxMemoryMb = this.memoryMb(answer);
    const result: InvokeAnswer = {
      instanceId: this.lease.instanceId,
      errorType: answer.errorType,
      payload,
      durationMs: timings.handlerMs,
      maxMemoryMb,
      timings,
    };
    const { session } = this.lease;
    if (answer.reply === undefined && this.tail === undefined && session === undefined) return result;
    const error = message ?? (answer.errorType === undefined ? undefined : 'Unhandled function error');
    const logTail = this.tail?.finish({
      requestId: this.requestId,
      durationMs: timings.handlerMs,
      billedMs: billedMs(timings.handlerMs, timings),
      memorySizeMb: this.command.target.spec.config.memorySize,
      maxMemoryMb,
      ...(error === undefined ? {} : { error }),
    });
    return {
      ...result,
      ...(answer.reply === undefined ? {} : { reply: answer.reply }),
      ...(session === undefined ? {} : { session }),
      ...(logTail === undefined ? {} : { logTail }),
    };
  }

  private elapsed(): number {
    return this.deps.clock.monotonic() - this.begin;
  }

  private timings(handlerMs: number): InvocationTimings {
    const { sandboxMs, runtimeMs, codeMs, initializerMs, cold, placedMs, reason } = this.lease.timings;
    const queuedMs = this.lease.timings.queuedMs + this.waitedMs;
    if (placedMs === undefined || reason === undefined) {
      return { queuedMs, sandboxMs, runtimeMs, codeMs, initializerMs, handlerMs, cold };
    }
    return { queuedMs, placedMs, sandboxMs, runtimeMs, codeMs, initializerMs, handlerMs, cold, reason };
  }

  private memoryMb(answer: InstanceAnswer | undefined): number {
    return Math.max(answer?.memoryMb ?? 0, this.traffic.memoryPeakMb);
  }

  private record(text: string): void {
    const { spec } = this.command.target;
    this.deps.facts.append({
      type: 'output-written',
      at: this.deps.clock.now(),
      account: spec.account,
      functionName: spec.functionName,
      requestId: this.requestId,
      instanceId: this.lease.instanceId,
      versionId: spec.versionId,
      text,
    });
  }
}

const EMPTY = new Uint8Array(0);

function errorText(
  errorType: FunctionErrorType | undefined,
  payload: InstanceAnswer['payload'] | undefined,
): string | undefined {
  if (errorType === undefined) return undefined;
  return payload instanceof Uint8Array ? errorMessageOf(payload) : '';
}
