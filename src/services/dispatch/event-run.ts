import type { Clock } from '../../core/base/clock.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { AsyncInvokeConfigRecord } from '../../core/domain/function.ts';
import { TaskStopped } from '../../core/domain/task-stopped.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import { isCustomRuntime, type VersionSpec } from '../../core/domain/version-spec.ts';
import type { Catalog } from '../../core/ports/catalog.ts';
import type { InvokeAnswer, InvokeCommand } from '../../core/ports/dispatch.ts';
import type { EventQueue, LeasedEvent } from '../../core/ports/event-queue.ts';
import { type AsyncEnvelope, envelopeOf } from './async-envelope.ts';
import { type Ending, eventEnd } from './event-ending.ts';
import type { Invoker } from './invoker.ts';
import { resolveTarget } from './resolve.ts';
import { endOfError, nextStep, type RunEnd } from './retry-rules.ts';
import { errorMessageOf } from './start-outcome.ts';

export interface EventDeps {
  readonly catalog: Catalog;
  readonly queue: EventQueue;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly invoker: Invoker;
}

/** One leased event: run, then settled or given back. */
export class EventRun {
  private lease: LeasedEvent;
  readonly envelope: AsyncEnvelope;
  private readonly deps: EventDeps;
  private readonly abort = new AbortController();
  private stopping: boolean;

  constructor(deps: EventDeps, event: LeasedEvent) {
    this.deps = deps;
    this.lease = event;
    this.envelope = envelopeOf(event.headers);
    this.stopping = event.stopping;
  }

  get event(): LeasedEvent {
    return this.lease;
  }

  /** Its lease had run out and came to this process again: it is the holder still, under a higher epoch. */
  relet(event: LeasedEvent): void {
    this.lease = event;
  }

  /** The lease is lost or the server ends: stop the function, somebody else will run it. */
  giveUp(reason: string): void {
    this.abort.abort(new Error(reason));
  }

  /** Its task is to stop: the function is aborted, and that is the end. */
  stop(): void {
    this.stopping = true;
    this.abort.abort(new TaskStopped());
  }

  /** `onResolved` learns which version it runs. */
  async run(onResolved: (spec: VersionSpec) => void): Promise<void> {
    const { catalog, clock, random } = this.deps;
    const { account, functionName, qualifier } = this.envelope;
    const config = await catalog.asyncConfig(account, functionName, qualifier);
    const maxAgeSeconds = config?.maxAsyncEventAgeInSeconds ?? LIMITS.asyncEventAgeDefaultSeconds;
    const maxRetries = config?.maxAsyncRetryAttempts ?? LIMITS.asyncRetryAttemptsDefault;
    const { acceptedAt, attempts, failures } = this.event;
    const { refused } = this.envelope;
    if (refused !== undefined) return await this.end(config, { ...refused, attempts, code: '', answer: undefined });
    if (!this.stopping && clock.now() >= acceptedAt + maxAgeSeconds * 1_000) {
      const message = `the event is older than ${maxAgeSeconds} seconds`;
      return await this.end(config, { state: 'Expired', attempts, message, code: '', answer: undefined });
    }
    const end = this.stopping ? STOPPED : await this.attempt(onResolved, keepsAnswer(config, this.envelope));
    const platformFailures = end.kind === 'platform-error' ? failures + 1 : 0;
    const history = { acceptedAt, attempts, platformFailures };
    const step = nextStep(end, history, { maxRetries, maxAgeSeconds }, clock.now(), random.float());
    if (step.kind === 'end') {
      const ran = end.kind === 'succeeded' || end.kind === 'function-error';
      const code = 'code' in end ? end.code : '';
      const answer = 'answer' in end ? end.answer : undefined;
      const { state, message } = step;
      await this.end(config, { state, attempts: attempts + (ran ? 1 : 0), message, code, answer });
    } else if (step.kind === 'retry') {
      const { dueAt, countAttempt } = step;
      const message = 'message' in end ? end.message : '';
      const durationMs = 'answer' in end ? end.answer?.durationMs : undefined;
      await this.deps.queue.retry(this.event, {
        dueAt,
        countAttempt,
        failures: platformFailures,
        message,
        ...(durationMs === undefined ? {} : { durationMs }),
      });
    }
  }

  private async attempt(onResolved: (spec: VersionSpec) => void, keep: boolean): Promise<RunEnd> {
    const { account, functionName, qualifier } = this.envelope;
    try {
      const target = await resolveTarget(this.deps, account, functionName, qualifier);
      onResolved(target.spec);
      const command = this.command(target);
      const ended = await this.deps.invoker.turn(command);
      try {
        return await endOfAnswer(await this.deps.invoker.invoke(command, 'async'), keep);
      } finally {
        ended();
      }
    } catch (error) {
      if (this.abort.signal.aborted) return this.stopping ? STOPPED : { kind: 'given-up' };
      if (error instanceof TidemillError) return endOfError(error);
      const message = error instanceof Error ? error.message : String(error);
      this.deps.logger.log('error', 'an event could not be run', { event: this.event.id, error: message });
      return { kind: 'platform-error', message, code: 'InternalServerError' };
    }
  }

  private command(target: InvokeCommand['target']): InvokeCommand {
    const { payload, attempts } = this.event;
    const { requestId, lineage, http, task } = this.envelope;
    const custom = isCustomRuntime(target.spec.config.runtime);
    return {
      requestId,
      target,
      caller: 'trigger',
      input:
        http !== undefined && custom ? { kind: 'http', call: { ...http, body: payload } } : { kind: 'event', payload },
      logTail: false,
      signal: this.abort.signal,
      lineage,
      retryCount: attempts,
      ...(task === true ? { onStarted: (instanceId: string) => this.started(instanceId) } : {}),
    };
  }

  private started(instanceId: string): void {
    const { queue, logger } = this.deps;
    queue.tasks.running(this.event, instanceId).catch((error: unknown) => {
      logger.log('warn', 'a task runs, but its state could not be written', {
        event: this.event.id,
        error: String(error),
      });
    });
  }

  /** The recorded end. Nothing is recorded when the event is no longer ours to settle. */
  private async end(config: AsyncInvokeConfigRecord | undefined, ending: Omit<Ending, 'at'>): Promise<void> {
    const end = eventEnd(this.event, this.envelope, config, { ...ending, at: this.deps.clock.now() });
    for (let held: LeasedEvent | undefined; held !== this.lease; ) {
      held = this.lease;
      if (await this.deps.queue.settle(held, end)) return;
      // Refused, although it is ours again since: once more.
    }
  }
}

const STOPPED: RunEnd = { kind: 'stopped' };

function keepsAnswer(config: AsyncInvokeConfigRecord | undefined, envelope: AsyncEnvelope): boolean {
  return envelope.task === true || config?.onSuccess !== undefined || config?.onFailure !== undefined;
}

/** Reads the answer to its end, since a streamed one holds its slot until then. */
async function endOfAnswer(answer: InvokeAnswer, keep: boolean): Promise<RunEnd> {
  const { payload, errorType, reply, durationMs } = answer;
  const kept = await firstBytes(payload, keep ? LIMITS.asyncResultBytes : 0);
  const result = keep ? { answer: { ...kept, durationMs } } : {};
  if (errorType !== undefined) {
    const message = payload instanceof Uint8Array ? errorMessageOf(payload) : errorType;
    return { kind: 'function-error', message, code: errorType, ...result };
  }
  if (reply !== undefined && reply.status >= 500) {
    const message = `the function answered with status code ${reply.status}`;
    return { kind: 'function-error', message, code: 'HandledInvocationError', ...result };
  }
  return { kind: 'succeeded', ...result };
}

async function firstBytes(
  payload: InvokeAnswer['payload'],
  limit: number,
): Promise<{ readonly payload: Uint8Array; readonly complete: boolean }> {
  if (payload instanceof Uint8Array) {
    const complete = payload.byteLength <= limit;
    return { payload: complete ? payload : payload.subarray(0, limit), complete };
  }
  const pieces: Uint8Array[] = [];
  let size = 0;
  let complete = true;
  for await (const piece of payload) {
    const room = limit - size;
    if (piece.byteLength > room) complete = false;
    if (room <= 0) continue;
    const part = piece.subarray(0, room);
    pieces.push(part);
    size += part.byteLength;
  }
  return { payload: Buffer.concat(pieces), complete };
}
