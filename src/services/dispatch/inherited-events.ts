import type { Clock } from '../../core/base/clock.ts';
import type { Logger } from '../../core/base/log.ts';
import type { EventQueue, LeasedEvent, RetryPlan } from '../../core/ports/event-queue.ts';
import type { Scheduling } from '../../core/ports/scheduling.ts';
import { isDeliveryKey } from './delivery-envelope.ts';
import { envelopeOf } from './async-envelope.ts';

interface InheritanceDeps {
  readonly queue: Pick<EventQueue, 'takeOver' | 'renew' | 'retry'>;
  readonly scheduling: Pick<Scheduling, 'earlierCall'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Events that a server held which is gone. They are given back at once, so that nobody waits for leases to expire; but one
 * whose call an instance still works on only when that has ended: no event runs twice at the same time. Where nobody can tell
 * (custom runtimes), the instances that may work on it are removed first.
 */
export class InheritedEvents {
  private readonly deps: InheritanceDeps;
  private readonly held = new Map<string, LeasedEvent>();

  constructor(deps: InheritanceDeps) {
    this.deps = deps;
  }

  /** How many still wait for the end of their earlier call. */
  get size(): number {
    return this.held.size;
  }

  async takeOver(leaseMs: number): Promise<void> {
    const { queue, clock } = this.deps;
    const inherited = await queue.takeOver({ leaseMs, now: clock.now() });
    const free = inherited.filter((event) => {
      const ended = this.earlierCall(event);
      if (ended === undefined) return true;
      this.held.set(event.id, event);
      void ended.then(() => this.giveBack(event.id));
      return false;
    });
    await Promise.all(free.map((event) => queue.retry(event, unchanged(event, clock.now()))));
  }

  /** Whether the event waits here; its lease had run out and came to this process again. */
  relet(event: LeasedEvent): boolean {
    if (!this.held.has(event.id)) return false;
    this.held.set(event.id, event);
    return true;
  }

  renew(expiresAt: number): void {
    for (const event of this.held.values())
      this.deps.queue.renew(event, expiresAt).catch((error: unknown) => this.failed(error));
  }

  /** Deliveries run nowhere but in the server that is gone. */
  private earlierCall(event: LeasedEvent): Promise<void> | undefined {
    if (isDeliveryKey(event.key)) return undefined;
    const { requestId, account, functionName } = envelopeOf(event.headers);
    return this.deps.scheduling.earlierCall(requestId, account, functionName);
  }

  private giveBack(id: string): void {
    const event = this.held.get(id);
    if (event === undefined) return;
    this.held.delete(id);
    this.deps.queue.retry(event, unchanged(event, this.deps.clock.now())).catch((error: unknown) => this.failed(error));
  }

  private failed(error: unknown): void {
    this.deps.logger.log('error', 'an event of an earlier server could not be given back', { error: String(error) });
  }
}

/** Given back as it came: nothing was learned of it. */
export function unchanged(event: LeasedEvent, dueAt: number): RetryPlan {
  return { dueAt, countAttempt: false, failures: event.failures };
}
