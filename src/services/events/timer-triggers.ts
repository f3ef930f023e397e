import { BinaryHeap } from '../../core/base/binary-heap.ts';
import type { Clock } from '../../core/base/clock.ts';
import { type Disposable, DisposableStore } from '../../core/base/disposable.ts';
import type { Logger } from '../../core/base/log.ts';
import type { TriggerRecord } from '../../core/domain/trigger.ts';
import type { Catalog } from '../../core/ports/catalog.ts';
import type { MetadataStore } from '../../core/ports/metadata-store.ts';
import { timerPayload } from './payloads.ts';
import { CATCH_UP_MS, type DueFire, keyOf, TimerTable } from './timer-table.ts';
import type { TriggerTarget } from './trigger-target.ts';

interface OpenFire {
  readonly at: number;
  ended: boolean;
}

interface TimerTriggerOptions {
  readonly catalog: Pick<Catalog, 'triggers' | 'onTrigger'>;
  readonly store: Pick<MetadataStore, 'get' | 'put'>;
  readonly target: TriggerTarget;
  readonly clock: Clock;
  readonly log: Logger;
  /** Hears of every fire ahead of time, so that an instance can be ready. */
  readonly expect?: (trigger: TriggerRecord, at: number) => void;
}

/** Every fire due up to the time kept here is durably in dispatch's hands or recorded as ended. */
export const FIRED_UNTIL_KEY = 'events/timers/fired-until';
/** How often at most that time is written, milliseconds. It may lag: fires found again are de-duplicated. */
const SAVE_EVERY_MS = 1000;
/** Timers put into the table in one go at the start: a few milliseconds. */
const SLICE = 2_000;
/** The longest sleep: the wall clock may be set while a timer of the monotonic clock runs. */
const LONGEST_SLEEP_MS = 30_000;

/**
 * Fires timer triggers (FC reference 6.1). One time for all triggers is kept in the metadata store, so restarting costs no
 * state per trigger: what fell due after it is found from the schedules, given the same de-duplication id
 * (`<trigger id>:<fire time>`), and so neither doubled nor missed. Policy for the time the platform was down: see TimerTable.
 * A trigger never fires for times before its last change.
 */
export class TimerTriggers {
  private readonly options: TimerTriggerOptions;
  private readonly table: TimerTable;
  private readonly stopping = new AbortController();
  private readonly subscriptions = new DisposableStore();
  private readonly underWay = new Set<Promise<void>>();
  /** The fires under way, earliest first; those that ended are passed over. */
  private readonly openFires = new BinaryHeap<OpenFire>((a, b) => a.at < b.at);
  private alarm: Disposable | undefined;
  private saveTimer: Disposable | undefined;
  private saving: Promise<void> | undefined;
  private firedUntil = 0;
  private savedUntil = 0;
  /** Something was fired since the time was last written. */
  private unsaved = false;
  private listing: Promise<void> | undefined;
  /** While the list is read: the names of the triggers that changed meanwhile. */
  private overtaken: Set<string> | undefined;
  /** Nothing fires before all timers are known: the kept time must not pass a fire that is yet to be found. */
  private listed = false;

  constructor(options: TimerTriggerOptions) {
    this.options = options;
    this.table = new TimerTable(options.expect);
  }

  /** Resolves when all timers are known and missed fires are on their way. Rejects when store or catalog cannot be read. */
  async start(): Promise<void> {
    const { store, catalog } = this.options;
    const saved = (await store.get(FIRED_UNTIL_KEY))?.value;
    this.firedUntil = typeof saved === 'number' ? saved : 0;
    this.savedUntil = this.firedUntil;
    this.subscriptions.add(catalog.onTrigger(({ key, trigger }) => this.changed(key, trigger)));
    this.listing = this.list();
    await this.listing;
  }

  /** Resolves when nothing is under way any more and it is written down how far timers have fired. */
  async stop(): Promise<void> {
    this.subscriptions.dispose();
    this.stopping.abort();
    this.alarm?.dispose();
    this.saveTimer?.dispose();
    await this.listing?.catch(() => {});
    await Promise.all(this.underWay);
    await this.saving;
    await this.save();
  }

  private changed(key: string, trigger: TriggerRecord | undefined): void {
    this.overtaken?.add(key);
    if (trigger?.config.type === 'timer') {
      this.table.set(trigger, trigger.lastModifiedTime);
      this.arm();
    } else {
      this.table.remove(key);
    }
  }

  /** Makes the table what the catalog says, in slices: whatever else this process does goes on between them. */
  private async list(): Promise<void> {
    const overtaken = new Set<string>();
    this.overtaken = overtaken;
    try {
      const triggers = await this.options.catalog.triggers('timer');
      for (const [index, trigger] of triggers.entries()) {
        if (index % SLICE === SLICE - 1) await this.breathe();
        if (this.stopping.signal.aborted) return;
        // What changed since it was read is in the table already, or gone from it.
        if (overtaken.has(keyOf(trigger))) continue;
        this.table.set(trigger, Math.max(this.firedUntil, trigger.lastModifiedTime));
      }
    } finally {
      this.overtaken = undefined;
    }
    this.listed = true;
    this.tick();
  }

  private breathe(): Promise<void> {
    return new Promise((resolve) => {
      this.options.clock.after(0, resolve);
    });
  }

  private tick(): void {
    if (this.stopping.signal.aborted) return;
    const now = this.options.clock.now();
    for (const fire of this.table.take(now)) this.fire(fire);
    this.advance(now);
    this.arm();
  }

  private arm(): void {
    this.alarm?.dispose();
    const due = this.table.nextDue();
    if (due === undefined || !this.listed || this.stopping.signal.aborted) return;
    const delay = Math.min(LONGEST_SLEEP_MS, Math.max(0, due - this.options.clock.now()));
    this.alarm = this.options.clock.after(delay, () => this.tick());
  }

  private fire({ trigger, at }: DueFire): void {
    if (trigger.config.type !== 'timer') return;
    const open: OpenFire = { at, ended: false };
    this.openFires.push(open);
    this.unsaved = true;
    const delivering = this.options.target
      .deliver(
        {
          trigger,
          dedupId: `${trigger.triggerId}:${at}`,
          payload: timerPayload(trigger.triggerName, trigger.config.payload, at),
          lineage: trigger.lineage === undefined ? undefined : { ...trigger.lineage, cause: 'timer' },
          expiresAt: at + CATCH_UP_MS,
        },
        this.stopping.signal,
      )
      .then((outcome) => {
        this.underWay.delete(delivering);
        // A stopped one stays open: the time that is kept must not pass it.
        open.ended = outcome !== 'stopped';
        this.advance(this.options.clock.now());
      });
    this.underWay.add(delivering);
  }

  /** Moves the kept time up to `now`, but below the earliest fire still under way. */
  private advance(now: number): void {
    const due = this.table.nextDue();
    let until = due === undefined ? now : Math.min(now, due - 1);
    const earliest = this.earliestOpen();
    if (earliest !== undefined) until = Math.min(until, earliest - 1);
    this.firedUntil = Math.max(this.firedUntil, until);
    if (!this.unsaved || this.stopping.signal.aborted) return;
    this.saveTimer ??= this.options.clock.after(SAVE_EVERY_MS, () => {
      this.saveTimer = undefined;
      this.saving ??= this.save().finally(() => {
        this.saving = undefined;
      });
    });
  }

  private earliestOpen(): number | undefined {
    for (let top = this.openFires.peek(); top !== undefined; top = this.openFires.peek()) {
      if (!top.ended) return top.at;
      this.openFires.pop();
    }
    return undefined;
  }

  private async save(): Promise<void> {
    const until = this.firedUntil;
    if (until <= this.savedUntil) return;
    // While fires are open the time has to be written again when they have ended.
    this.unsaved = this.earliestOpen() !== undefined;
    try {
      await this.options.store.put(FIRED_UNTIL_KEY, until);
      this.savedUntil = until;
    } catch (error) {
      // The older time stands: after a restart some fires are found again and de-duplicated.
      this.unsaved = true;
      this.options.log.log('warn', 'how far timers have fired could not be written', { error: String(error) });
    }
  }
}
