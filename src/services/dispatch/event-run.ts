import type { Clock } from '../../core/base/clock.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import type { EndState } from '../../core/domain/async-task.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import { isCustomRuntime, type VersionSpec } from '../../core/domain/version-spec.ts';
import type { Catalog } from '../../core/ports/catalog.ts';
import type { InvokeAnswer, InvokeCommand } from '../../core/ports/dispatch.ts';
import type { EventQueue, LeasedEvent } from '../../core/ports/event-queue.ts';
import { type AsyncEnvelope, envelopeOf } from './async-envelope.ts';
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
  readonly event: LeasedEvent;
  readonly envelope: AsyncEnvelope;
  private readonly deps: EventDeps;
  private readonly abort = new AbortController();

  constructor(deps: EventDeps, event: LeasedEvent) {
    this.deps = deps;
    this.event = event;
    this.envelope = envelopeOf(event.headers);
  }

  /** The lease is lost or the server ends: stop the function, somebody else will run it. */
  giveUp(reason: string): void {
    this.abort.abort(new Error(reason));
  }

  /** `onResolved` learns which version it runs. */
  async run(onResolved: (spec: VersionSpec) => void): Promise<void> {
    const { catalog, clock, random } = this.deps;
    const { account, functionName, qualifier } = this.envelope;
    const config = await catalog.asyncConfig(account, functionName, qualifier);
    const maxAgeSeconds = config?.maxAsyncEventAgeInSeconds ?? LIMITS.asyncEventAgeDefaultSeconds;
    const maxRetries = config?.maxAsyncRetryAttempts ?? LIMITS.asyncRetryAttemptsDefault;
    const { acceptedAt, attempts, failures } = this.event;
    if (clock.now() >= acceptedAt + maxAgeSeconds * 1_000) {
      return await this.end('Expired', attempts, `the event is older than ${maxAgeSeconds} seconds`);
    }
    const end = await this.attempt(onResolved);
    const platformFailures = end.kind === 'platform-error' ? failures + 1 : 0;
    const history = { acceptedAt, attempts, platformFailures };
    const step = nextStep(end, history, { maxRetries, maxAgeSeconds }, clock.now(), random.float());
    if (step.kind === 'end') {
      const ran = end.kind === 'succeeded' || end.kind === 'function-error';
      await this.end(step.state, attempts + (ran ? 1 : 0), step.message);
    } else if (step.kind === 'retry') {
      const { dueAt, countAttempt } = step;
      await this.deps.queue.retry(this.event, { dueAt, countAttempt, failures: platformFailures });
    }
  }

  private async attempt(onResolved: (spec: VersionSpec) => void): Promise<RunEnd> {
    const { account, functionName, qualifier } = this.envelope;
    try {
      const target = await resolveTarget(this.deps, account, functionName, qualifier);
      onResolved(target.spec);
      const answer = await this.deps.invoker.invoke(this.command(target), 'async');
      return await endOfAnswer(answer);
    } catch (error) {
      if (this.abort.signal.aborted) return { kind: 'given-up' };
      if (error instanceof TidemillError) return endOfError(error);
      const message = error instanceof Error ? error.message : String(error);
      this.deps.logger.log('error', 'an event could not be run', { event: this.event.id, error: message });
      return { kind: 'platform-error', message };
    }
  }

  private command(target: InvokeCommand['target']): InvokeCommand {
    const { payload, attempts } = this.event;
    const { requestId, lineage, http } = this.envelope;
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
    };
  }

  private async end(state: EndState, attempts: number, message: string): Promise<void> {
    await this.deps.queue.settle(this.event, { state, attempts, message, then: [] });
  }
}

/** Reads the answer to its end, since a streamed one holds its slot until then; its content goes nowhere. */
async function endOfAnswer(answer: InvokeAnswer): Promise<RunEnd> {
  const { payload, errorType, reply } = answer;
  if (!(payload instanceof Uint8Array)) {
    for await (const piece of payload) void piece;
  }
  if (errorType !== undefined) {
    return { kind: 'function-error', message: payload instanceof Uint8Array ? errorMessageOf(payload) : errorType };
  }
  if (reply !== undefined && reply.status >= 500) {
    return { kind: 'function-error', message: `the function answered with status code ${reply.status}` };
  }
  return { kind: 'succeeded' };
}
