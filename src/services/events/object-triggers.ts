import type { Clock } from '../../core/base/clock.ts';
import { DisposableStore } from '../../core/base/disposable.ts';
import type { Logger } from '../../core/base/log.ts';
import { deeper, type Lineage } from '../../core/domain/lineage.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { OssTriggerConfig, TriggerRecord } from '../../core/domain/trigger.ts';
import type { Catalog } from '../../core/ports/catalog.ts';
import type { ObjectEvent, ObjectSource } from '../../core/ports/object-store.ts';
import { wantsEvent } from './object-rules.ts';
import { objectPayload } from './payloads.ts';
import type { TriggerTarget } from './trigger-target.ts';

interface ObjectTriggerOptions {
  readonly catalog: Pick<Catalog, 'triggers' | 'onTrigger'>;
  readonly objects: Pick<ObjectSource, 'bucket' | 'events' | 'acknowledge' | 'onEvent'>;
  readonly target: TriggerTarget;
  readonly clock: Clock;
  readonly region: string;
  readonly log: Logger;
}

interface ObjectTrigger {
  readonly trigger: TriggerRecord;
  readonly config: OssTriggerConfig;
}

/** Events read at once. */
const PAGE = 256;
/** Events under way at once; one that cannot be handed on does not hold up those after it until so many are open. */
const WINDOW = 2048;
/** Pause after the object store itself failed, milliseconds. */
const FAILURE_PAUSE_MS = 1000;

/**
 * Reads the object store's outbox in order and hands each event to the object triggers that ask for it. An event is
 * acknowledged once it and all before it are durably in dispatch's hands or recorded as ended; after a crash the rest is
 * read again and de-duplicated by trigger and sequence number. A function whose own writes match its trigger is called
 * again (filters prevent that), until the loop guard of dispatch stops the chain.
 */
export class ObjectTriggers {
  private readonly options: ObjectTriggerOptions;
  private readonly stopping = new AbortController();
  private readonly subscriptions = new DisposableStore();
  /** Sequence numbers under way, lowest first. */
  private readonly open = new Set<number>();
  private readAll = 0;
  private acknowledged = 0;
  private acknowledging = false;
  private byBucket: Promise<ReadonlyMap<string, readonly ObjectTrigger[]>> | undefined;
  private changes = 0;
  private wake: (() => void) | undefined;
  private running: Promise<void> | undefined;

  constructor(options: ObjectTriggerOptions) {
    this.options = options;
  }

  /** Begins with what has not been acknowledged. */
  start(): void {
    const { objects, catalog } = this.options;
    this.subscriptions.add(objects.onEvent(() => this.changed()));
    this.subscriptions.add(
      catalog.onTrigger(() => {
        this.byBucket = undefined;
      }),
    );
    this.running ??= this.run();
  }

  /** Resolves when nothing is under way any more. What was not acknowledged comes again after the next start. */
  async stop(): Promise<void> {
    this.subscriptions.dispose();
    this.stopping.abort();
    this.changed();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const seen = this.changes;
      const started = await this.readOn().catch((error: unknown) => {
        this.byBucket = undefined;
        this.options.log.log('error', 'reading object events failed, trying again', { error: String(error) });
        this.subscriptions.add(this.options.clock.after(FAILURE_PAUSE_MS, () => this.changed()));
        return 0;
      });
      if (started === 0 && seen === this.changes) await this.nextChange();
    }
    while (this.open.size > 0 || this.acknowledging) await this.nextChange();
  }

  /** Starts what there is room for; resolves with how many events that were. */
  private async readOn(): Promise<number> {
    const room = Math.min(PAGE, WINDOW - this.open.size);
    if (room <= 0) return 0;
    const events = await this.options.objects.events(this.readAll, room);
    if (events.length === 0) return 0;
    this.byBucket ??= this.readTriggers();
    const triggers = await this.byBucket;
    for (const event of events) {
      this.readAll = event.sequence;
      this.open.add(event.sequence);
      void this.handle(event, triggers.get(event.bucket) ?? []);
    }
    return events.length;
  }

  private async handle(event: ObjectEvent, triggers: readonly ObjectTrigger[]): Promise<void> {
    const wanted = triggers.filter(
      // An object that was there before the trigger is none of its events.
      ({ trigger, config }) => event.at >= trigger.createdTime && wantsEvent(config, event),
    );
    if (wanted.length > 0) await this.deliver(event, wanted);
    this.open.delete(event.sequence);
    void this.acknowledge();
    this.changed();
  }

  private async deliver(event: ObjectEvent, triggers: readonly ObjectTrigger[]) {
    const { objects, target, region, log } = this.options;
    const info = await objects.bucket(event.bucket).catch((error: unknown) => {
      log.log('warn', 'a bucket could not be read, taking the writer for its owner', { error: String(error) });
      return undefined;
    });
    const owner = info?.account ?? event.context.account;
    const expiresAt = event.at + LIMITS.asyncEventAgeDefaultSeconds * 1000;
    return await Promise.all(
      triggers
        .filter(({ trigger }) => trigger.account === owner)
        .map(({ trigger }) =>
          target.deliver(
            {
              trigger,
              dedupId: `${trigger.triggerId}:${event.sequence}`,
              payload: objectPayload(event, trigger, region, owner),
              lineage: lineageOf(event, trigger),
              expiresAt,
            },
            this.stopping.signal,
          ),
        ),
    );
  }

  /** Acknowledges as far as nothing is open; one call at a time, each as far as it then goes. */
  private async acknowledge(): Promise<void> {
    if (this.acknowledging) return;
    this.acknowledging = true;
    try {
      for (let done = this.allDone(); done > this.acknowledged; done = this.allDone()) {
        if (this.stopping.signal.aborted) break;
        await this.options.objects.acknowledge(done);
        this.acknowledged = done;
      }
    } catch (error) {
      // They come again after a restart and are de-duplicated; the next event tries again.
      this.options.log.log('warn', 'object events could not be acknowledged', { error: String(error) });
    }
    this.acknowledging = false;
    this.changed();
  }

  /** The highest sequence number up to which everything has been handed on or ended. */
  private allDone(): number {
    const [lowestOpen] = this.open;
    return lowestOpen === undefined ? this.readAll : lowestOpen - 1;
  }

  private async readTriggers(): Promise<ReadonlyMap<string, readonly ObjectTrigger[]>> {
    const byBucket = new Map<string, ObjectTrigger[]>();
    for (const trigger of await this.options.catalog.triggers('oss')) {
      const { config } = trigger;
      if (config.type !== 'oss') continue;
      const others = byBucket.get(config.bucket);
      if (others === undefined) byBucket.set(config.bucket, [{ trigger, config }]);
      else others.push({ trigger, config });
    }
    return byBucket;
  }

  private changed(): void {
    this.changes++;
    const { wake } = this;
    this.wake = undefined;
    wake?.();
  }

  private nextChange(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }
}

/** From the function that wrote, or from the one that made the trigger: whichever chain is longer. */
function lineageOf(event: ObjectEvent, trigger: TriggerRecord): Lineage | undefined {
  const { lineage } = trigger;
  return deeper(event.context.lineage, lineage === undefined ? undefined : { ...lineage, cause: 'object' });
}
