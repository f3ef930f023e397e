import type { Clock } from '../../core/base/clock.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import { isCustomRuntime, type VersionSpec } from '../../core/domain/version-spec.ts';
import type { Catalog } from '../../core/ports/catalog.ts';
import type { InvokeAnswer, InvokeCommand } from '../../core/ports/dispatch.ts';
import type { EventQueue, LeasedEvent } from '../../core/ports/event-queue.ts';
import type { FactLog } from '../../core/ports/fact-log.ts';
import { type AsyncEnvelope, envelopeOf } from './async-envelope.ts';
import { type Invoker, loopError } from './invoker.ts';
import { resolveTarget } from './resolve.ts';
import { endOfError, nextStep, type RunEnd } from './retry-rules.ts';
import { errorMessageOf } from './start-outcome.ts';

export interface EventDeps {
  readonly catalog: Catalog;
  readonly queue: EventQueue;
  readonly facts: FactLog;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly invoker: Invoker;
}

/** How long the lease must still hold when the end of an event is written down. */
const RECORDING_LEASE_MS = 30_000;

/**
 * One leased event: run, then settled or given back. Its end is on disk before the queue forgets it, and an event that was
 * leased before is first looked up: so a server killed between the two leaves exactly one recorded end.
 */
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

  /** `platformFailures`: runs in a row that failed for reasons of the platform. Answers the new count. */
  async run(platformFailures: number, onResolved: (spec: VersionSpec) => void): Promise<number> {
    const { catalog, clock, random } = this.deps;
    if (this.event.epoch > 1 && (await this.hasEnded())) {
      await this.deps.queue.settle(this.event);
      return 0;
    }
    const { account, functionName, qualifier } = this.envelope;
    const config = await catalog.asyncConfig(account, functionName, qualifier);
    const maxAgeSeconds = config?.maxAsyncEventAgeInSeconds ?? LIMITS.asyncEventAgeDefaultSeconds;
    const maxRetries = config?.maxAsyncRetryAttempts ?? LIMITS.asyncRetryAttemptsDefault;
    const { acceptedAt, attempts } = this.event;
    if (clock.now() >= acceptedAt + maxAgeSeconds * 1_000) {
      await this.end('Expired', attempts, `the event is older than ${maxAgeSeconds} seconds`);
      return 0;
    }
    const end = await this.attempt(onResolved);
    const failures = end.kind === 'platform-error' ? platformFailures + 1 : 0;
    const history = { acceptedAt, attempts, platformFailures: failures };
    const step = nextStep(end, history, { maxRetries, maxAgeSeconds }, clock.now(), random.float());
    if (step.kind === 'end') {
      const ran = end.kind === 'succeeded' || end.kind === 'function-error';
      await this.end(step.state, attempts + (ran ? 1 : 0), step.message);
    } else if (step.kind === 'retry') {
      await this.deps.queue.retry(this.event, step.dueAt, step.countAttempt);
    }
    return failures;
  }

  private async attempt(onResolved: (spec: VersionSpec) => void): Promise<RunEnd> {
    const { lineage, account, functionName, qualifier } = this.envelope;
    if (lineage.hops >= LIMITS.hopsDefault) return { kind: 'failed', message: loopError(lineage.hops).message };
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

  /** Whether whoever held the event before has recorded its end, and then could not tell the queue. */
  private async hasEnded(): Promise<boolean> {
    const { account, functionName, requestId, taskId } = this.envelope;
    const since = this.event.acceptedAt;
    const types = ['event-ended'] as const;
    const { facts } = await this.deps.facts.read({ account, functionName, requestId, types, since, limit: 100 });
    return facts.some((fact) => fact.type === 'event-ended' && fact.taskId === taskId);
  }

  /** The recorded end. Nothing is recorded when the event is no longer ours to settle. */
  private async end(
    state: 'Succeeded' | 'Failed' | 'Expired' | 'Invalid',
    attempts: number,
    message: string,
  ): Promise<void> {
    const { queue, facts, clock, logger } = this.deps;
    if (!(await queue.renew(this.event, clock.now() + RECORDING_LEASE_MS))) return;
    const { account, functionName, requestId, taskId } = this.envelope;
    facts.append({
      type: 'event-ended',
      at: clock.now(),
      account,
      functionName,
      requestId,
      taskId,
      state,
      attempts,
      message,
    });
    await facts.flush().catch((error: unknown) => {
      // The log keeps it and tries again; running the event once more would be worse.
      logger.log('error', 'the end of an event could not be written yet', {
        event: this.event.id,
        error: String(error),
      });
    });
    await queue.settle(this.event);
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
