import type { Clock } from '../../core/base/clock.ts';
import { DisposableStore } from '../../core/base/disposable.ts';
import { Alarm } from '../../core/base/alarm.ts';
import type { Logger } from '../../core/base/log.ts';
import type { DeliveryEnded, EventEnded, Fact } from '../../core/domain/fact.ts';
import type { EndRecord, EventQueue } from '../../core/ports/event-queue.ts';
import type { FactLog } from '../../core/ports/fact-log.ts';
import { envelopeOf } from './async-envelope.ts';
import { deliveryOf } from './delivery-envelope.ts';

/** How long told ends may lie in the queue: one look at the log's disk for all that ended meanwhile. */
const TELL_MS = 100;
/** While they cannot be told, how often to try. */
const RETRY_MS = 2_000;
const PAGE = 1_000;

interface TellerDeps {
  readonly queue: Pick<EventQueue, 'onEnd' | 'untold' | 'told'>;
  readonly facts: FactLog;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Writes the end of every event into the fact log, each once: the queue keeps the record of an end until the fact is on disk,
 * and what a process that was killed left behind is looked up before it is told again.
 */
export class EndTeller {
  private readonly deps: TellerDeps;
  private readonly lifetime = new DisposableStore();
  private readonly alarm: Alarm;
  /** First and last end of this process. */
  private first: number | undefined = undefined;
  private last = 0;
  private done = 0;
  /** What an earlier process left is told, or is being told; undefined: not yet, or it failed. */
  private caughtUp: Promise<void> | undefined = undefined;
  private telling = false;

  constructor(deps: TellerDeps) {
    this.deps = deps;
    this.alarm = this.lifetime.add(new Alarm(deps.clock, () => this.background()));
  }

  start(): void {
    this.lifetime.add(this.deps.queue.onEnd((end) => this.ended(end)));
    this.background();
  }

  /** Resolves when every end so far is on disk as a fact. */
  private async flush(): Promise<void> {
    this.caughtUp ??= this.catchUp().catch((error: unknown) => {
      this.caughtUp = undefined;
      throw error;
    });
    await this.caughtUp;
    const { last } = this;
    if (last === this.done) return;
    await this.deps.facts.flush();
    await this.deps.queue.told(last);
    this.done = Math.max(this.done, last);
  }

  /** As `flush`, for the end of this process: what cannot be told now is told by the next. */
  async finish(): Promise<void> {
    await this.flush().catch((error: unknown) => this.failed(error));
  }

  dispose(): void {
    this.lifetime.dispose();
  }

  private ended(end: EndRecord): void {
    this.first ??= end.number;
    this.last = end.number;
    this.deps.facts.append(factOf(end));
    this.alarm.wakeBy(this.deps.clock.monotonic() + TELL_MS);
  }

  private background(): void {
    if (this.telling) return;
    this.telling = true;
    let again = TELL_MS;
    this.flush()
      .catch((error: unknown) => {
        again = RETRY_MS;
        this.failed(error);
      })
      .finally(() => {
        this.telling = false;
        if (this.last > this.done || this.caughtUp === undefined)
          this.alarm.wakeBy(this.deps.clock.monotonic() + again);
      });
  }

  private async catchUp(): Promise<void> {
    const { queue, facts } = this.deps;
    for (;;) {
      const page = await queue.untold(PAGE);
      const old = page.filter((end) => this.first === undefined || end.number < this.first);
      const last = old.at(-1);
      if (last === undefined) return;
      for (const end of old) if (!(await this.isKnown(end))) facts.append(factOf(end));
      await facts.flush();
      await queue.told(last.number);
    }
  }

  /** Whether whoever recorded the end has told it, and then could not say so. */
  private async isKnown(end: EndRecord): Promise<boolean> {
    const wanted = factOf(end);
    const { account, functionName, requestId, type } = wanted;
    const query = { account, functionName, requestId, types: [type], since: end.at, limit: 100 };
    const { facts } = await this.deps.facts.read(query);
    return facts.some((fact) => sameEnd(fact, wanted));
  }

  private failed(error: unknown): void {
    // The queue keeps them and the next attempt, or the next process, tells them.
    this.deps.logger.log('error', 'the ends of events could not be written yet', { error: String(error) });
  }
}

function sameEnd(fact: Fact, wanted: EventEnded | DeliveryEnded): boolean {
  return fact.type === wanted.type && fact.taskId === wanted.taskId && fact.at === wanted.at;
}

function factOf(end: EndRecord): EventEnded | DeliveryEnded {
  const { state, attempts, message, at } = end;
  const delivery = deliveryOf(end.headers);
  const { account, functionName, requestId, taskId } = delivery ?? envelopeOf(end.headers);
  const common = { at, account, functionName, requestId, taskId, state, attempts, message };
  if (delivery === undefined) return { type: 'event-ended', ...common };
  return { type: 'delivery-ended', ...common, destination: delivery.destination };
}
