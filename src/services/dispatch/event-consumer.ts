import { Alarm } from '../../core/base/alarm.ts';
import { DisposableStore } from '../../core/base/disposable.ts';
import type { VersionSpec } from '../../core/domain/version-spec.ts';
import type { LeasedEvent } from '../../core/ports/event-queue.ts';
import type { Scheduling } from '../../core/ports/scheduling.ts';
import { isDeliveryKey } from './delivery-envelope.ts';
import { type DeliveryDeps, DeliveryRun } from './delivery-run.ts';
import { type EventDeps, EventRun } from './event-run.ts';
import { InheritedEvents, unchanged } from './inherited-events.ts';
import { LeaseBatch } from './lease-batch.ts';

/** Most events held at once, running and waiting for room. */
const HELD_MAX = 512;
const LEASE_MS = 30_000;
/** While held events wait for room, how often to look whether there is some. */
const LOOK_MS = 100;

/** Most deliveries of one function under way at once. */
const DELIVERIES_MAX = 16;
/** And of all functions: destinations that hang must not take the room of events. */
const DELIVERIES_IN_ALL = 128;
/** A delivery for which there is no room is looked at again after this, ms. */
const DELIVER_LATER_MS = 1_000;

/** An event that this process holds: an invocation to be, or the delivery of a result. */
interface HeldEvent {
  readonly event: LeasedEvent;
  /** The same event came again, under a higher epoch. */
  relet(event: LeasedEvent): void;
  run(onResolved: (spec: VersionSpec) => void): Promise<void>;
  giveUp(reason: string): void;
}

interface KeyState {
  /** Runs begun and not ended. */
  running: number;
  /** Of these, those that have not asked the scheduler yet. */
  resolving: number;
  /** Leased, but their function has no room. */
  readonly parked: HeldEvent[];
  /** What the last run resolved to: tells how much room there is. */
  spec: VersionSpec | undefined;
}

/**
 * Takes events from the queue while their functions have room and sees each to its next step. Fair: the queue serves keys in
 * turn, a function that has no room is skipped, and no function may hold more than what all others leave free.
 */
export class EventConsumer {
  private readonly deps: EventDeps;
  private readonly scheduling: Scheduling;
  private readonly deliveries: DeliveryDeps;
  private readonly inherited: InheritedEvents;
  private readonly keys = new Map<string, KeyState>();
  /** By the event's id. */
  private readonly held = new Map<string, HeldEvent>();
  private readonly lifetime = new DisposableStore();
  private readonly look: Alarm;
  private readonly renewal: Alarm;
  private readonly batch = new LeaseBatch();
  /** The last question for events, answered or not. */
  private leasing: Promise<unknown> = Promise.resolve();
  private delivering = 0;
  private pumping = false;
  private again = false;
  private stopped = true;
  private onIdle: (() => void) | undefined = undefined;

  constructor(deps: EventDeps, scheduling: Scheduling, deliveries: DeliveryDeps) {
    this.deps = deps;
    this.scheduling = scheduling;
    this.deliveries = deliveries;
    this.inherited = new InheritedEvents({ ...deps, scheduling });
    this.look = this.lifetime.add(new Alarm(deps.clock, () => this.wake()));
    this.renewal = this.lifetime.add(new Alarm(deps.clock, () => this.renewAll()));
  }

  /** Resolves when what an earlier server held has been taken over: instances may have to go for that, which calls must not meet. */
  async start(): Promise<void> {
    this.stopped = false;
    this.lifetime.add(this.deps.queue.onAvailable((dueAt) => this.available(dueAt)));
    this.lifetime.add(this.deps.queue.tasks.onStop((eventId) => this.stopTask(eventId)));
    const inheriting = this.inherited.takeOver(LEASE_MS).finally(() => {
      if (this.inherited.size > 0) this.renewSoon();
      this.wake();
    });
    this.background(inheriting);
    await inheriting.catch(() => {});
  }

  /** Takes no more, gives back what has not begun, and resolves when everything that runs has ended. */
  async drain(): Promise<void> {
    this.stopped = true;
    const now = this.deps.clock.now();
    const parked = [...this.keys.values()].flatMap((key) => key.parked.splice(0));
    for (const run of parked) this.held.delete(run.event.id);
    await Promise.all(parked.map((run) => this.deps.queue.retry(run.event, unchanged(run.event, now))));
    if (this.held.size > 0) await new Promise<void>((resolve) => (this.onIdle = resolve));
  }

  /** Gives up what still runs: its leases expire and another server takes it. */
  close(): void {
    this.stopped = true;
    this.lifetime.dispose();
    for (const run of this.held.values()) run.giveUp('the server is shutting down');
  }

  /** There is something to take from `dueAt` on (wall clock). */
  private available(dueAt: number): void {
    const { clock } = this.deps;
    const wait = dueAt - clock.now();
    if (wait > 0) this.look.wakeBy(clock.monotonic() + wait);
    else this.wake();
  }

  private wake(): void {
    if (this.pumping) {
      this.again = true;
      return;
    }
    this.pumping = true;
    this.again = false;
    this.pump()
      .catch((error: unknown) => {
        this.deps.logger.log('error', 'events could not be taken from the queue', { error: String(error) });
        this.look.wakeBy(this.deps.clock.monotonic() + 10 * LOOK_MS);
      })
      .finally(() => {
        this.pumping = false;
        // Something came while the queue was asked when the next one is due: that answer did not know of it.
        if (this.again && !this.stopped) this.wake();
      });
  }

  private async pump(): Promise<void> {
    const { queue, clock } = this.deps;
    do {
      this.again = false;
      this.unpark();
      const max = Math.min(this.batch.size, HELD_MAX - this.held.size);
      if (this.stopped || max <= 0) return;
      const skip = this.withoutRoom();
      const leasing = queue.lease({ max, leaseMs: LEASE_MS, now: clock.now(), skip });
      this.leasing = leasing;
      const events = await leasing;
      for (const event of events) this.take(event);
      if (events.length > 0) this.again = true;
      const parked = events.some(({ key }) => (this.keys.get(key)?.parked.length ?? 0) > 0);
      this.batch.took(max, events.length, parked);
    } while (this.again);
    const due = await queue.nextDue();
    const wait = due === undefined ? Number.POSITIVE_INFINITY : Math.max(due - clock.now(), LOOK_MS);
    this.look.wakeBy(clock.monotonic() + wait);
  }

  private take(event: LeasedEvent): void {
    // The wall clock may be set, and then a lease runs out before it was renewed: what this process holds it does not run twice.
    const known = this.held.get(event.id);
    if (known !== undefined) return known.relet(event);
    if (this.inherited.relet(event)) return;
    const run: HeldEvent = isDeliveryKey(event.key)
      ? new DeliveryRun(this.deliveries, event)
      : new EventRun(this.deps, event);
    this.held.set(event.id, run);
    this.renewSoon();
    if (this.stopped) {
      this.held.delete(event.id);
      this.background(this.deps.queue.retry(event, unchanged(event, this.deps.clock.now())));
      return;
    }
    let key = this.keys.get(event.key);
    if (key === undefined) {
      key = { running: 0, resolving: 0, parked: [], spec: undefined };
      this.keys.set(event.key, key);
    }
    if (key.parked.length === 0 && this.hasRoom(event.key, key)) this.run(run, key);
    else if (run instanceof EventRun) key.parked.push(run);
    else {
      // Not kept here: there may be deliveries of any number of functions.
      this.held.delete(event.id);
      if (key.running === 0) this.keys.delete(event.key);
      const dueAt = this.deps.clock.now() + DELIVER_LATER_MS;
      this.background(this.deps.queue.retry(event, unchanged(event, dueAt)));
    }
  }

  private hasRoom(name: string, key: KeyState): boolean {
    // The share of one function shrinks as others take theirs, so that there is always some left for the next.
    if (key.running > 0 && key.running >= HELD_MAX - this.held.size) return false;
    if (isDeliveryKey(name)) return key.running < DELIVERIES_MAX && this.delivering < DELIVERIES_IN_ALL;
    // Its room is known once one event has shown which version runs.
    if (key.spec === undefined) return key.running === 0;
    return this.scheduling.room(key.spec) > key.resolving || (key.running === 0 && key.resolving === 0);
  }

  private withoutRoom(): Set<string> {
    const skip = new Set<string>();
    for (const [name, key] of this.keys) if (key.parked.length > 0 || !this.hasRoom(name, key)) skip.add(name);
    return skip;
  }

  private unpark(): void {
    let waiting = false;
    for (const [name, key] of this.keys) {
      while (key.parked.length > 0 && this.hasRoom(name, key)) {
        const run = key.parked.shift();
        if (run !== undefined) this.run(run, key);
      }
      if (key.parked.length > 0) waiting = true;
    }
    if (waiting) this.look.wakeBy(this.deps.clock.monotonic() + LOOK_MS);
  }

  private run(run: HeldEvent, key: KeyState): void {
    const delivery = run instanceof DeliveryRun ? 1 : 0;
    this.delivering += delivery;
    key.running++;
    key.resolving++;
    let resolved = false;
    const onResolved = (spec: VersionSpec | undefined): void => {
      if (resolved) return;
      resolved = true;
      key.resolving--;
      if (spec === undefined) return;
      const first = key.spec === undefined;
      key.spec = spec;
      if (first) queueMicrotask(() => this.wake());
    };
    const done = run.run(onResolved).finally(() => {
      onResolved(undefined);
      this.delivering -= delivery;
      key.running--;
      this.held.delete(run.event.id);
      if (key.running === 0 && key.parked.length === 0) this.keys.delete(run.event.key);
      if (this.held.size === 0) this.onIdle?.();
      this.wake();
    });
    this.background(done);
  }

  /** A task was told to stop while this process holds its event. */
  private stopTask(eventId: string): void {
    const run = this.held.get(eventId);
    if (!(run instanceof EventRun)) return;
    run.stop();
    const key = this.keys.get(run.event.key);
    const place = key?.parked.indexOf(run) ?? -1;
    if (key === undefined || place < 0) return;
    // It waited for room; to be ended it needs none.
    key.parked.splice(place, 1);
    this.run(run, key);
  }

  private renewSoon(): void {
    this.renewal.wakeBy(this.deps.clock.monotonic() + LEASE_MS / 3);
  }

  private renewAll(): void {
    if (this.held.size === 0 && this.inherited.size === 0) return;
    const { clock } = this.deps;
    this.renewSoon();
    this.inherited.renew(clock.now() + LEASE_MS);
    for (const run of this.held.values()) this.background(this.renew(run, clock.now() + LEASE_MS));
  }

  private async renew(run: HeldEvent, expiresAt: number): Promise<void> {
    const { event } = run;
    if (await this.deps.queue.renew(event, expiresAt)) return;
    // What is being leased now may be this very event, to this very process.
    await this.leasing.catch(() => {});
    if (run.event !== event || this.held.get(event.id) !== run) return;
    const key = this.keys.get(run.event.key);
    const place = key?.parked.indexOf(run) ?? -1;
    if (place >= 0) {
      key?.parked.splice(place, 1);
      this.held.delete(event.id);
    } else {
      run.giveUp('another server has taken the event');
    }
  }

  private background(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      this.deps.logger.log('error', 'an event could not be brought to its next step', { error: String(error) });
    });
  }
}
