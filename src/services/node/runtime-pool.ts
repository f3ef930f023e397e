import { backoffDelay } from '../../core/base/backoff.ts';
import type { Clock } from '../../core/base/clock.ts';
import type { Disposable } from '../../core/base/disposable.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import { type Demand, desiredDepths, type PoolPolicy, withStarts } from './pool-sizing.ts';
import type { RuntimeControl } from '../../core/ports/runtime-control.ts';
import type { SandboxHandle } from '../../core/ports/sandbox.ts';
import { text } from './runtime-boot.ts';

/** What can wait in a pool: a sandbox, with the connection to its runtime where one has booted. */
interface Poolable {
  readonly handle: SandboxHandle;
  readonly control?: RuntimeControl;
}

interface Member<T> {
  readonly booting: Promise<T>;
  /** Resolved when somebody takes it while it still boots. */
  readonly wanted: PromiseWithResolvers<void>;
  booted: T | undefined;
}

export interface PoolOptions<T> {
  readonly policy: PoolPolicy;
  /** `wanted` resolves when somebody begins to wait for this very boot. */
  readonly boot: (kind: string, wanted: Promise<void>) => Promise<T>;
  /** True while starts are on their way: refilling waits for them, but not longer than `REFILL_PATIENCE_MS`. */
  readonly busy: () => boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** What is ready has changed. */
  readonly changed: () => void;
}

const REFILL_DELAY_MS = 5;
/** How often a full pool is looked at: demand fades. */
const LOOK_MS = 30_000;
const BUSY_DELAY_MS = 20;
const REFILL_PATIENCE_MS = 250;
const RETRY = { firstMs: 500, maxMs: 60_000, factor: 2, jitter: 0.3 };

/**
 * One level of what is made ahead: bare sandboxes, or booted runtimes without a function; per kind (for runtimes their id).
 * Refilled one at a time beside the hot path; dead members are replaced.
 */
export class RuntimePool<T extends Poolable> {
  private readonly options: PoolOptions<T>;
  private readonly members = new Map<string, Member<T>[]>();
  private readonly demands = new Map<string, Demand>();
  private readonly endings = new Set<Promise<void>>();
  private timer: Disposable | undefined;
  /** When `timer` fires, monotonic. */
  private dueAt = 0;
  private refilling: Promise<void> | undefined;
  private failures = 0;
  private closed = false;

  constructor(options: PoolOptions<T>) {
    this.options = options;
  }

  /** Starts filling. */
  open(): void {
    this.schedule(0, 0);
  }

  /** A function of this runtime was deployed: its first call is near. */
  expect(runtime: string): void {
    this.asked(runtime, 0);
    this.schedule(REFILL_DELAY_MS, 0);
  }

  /**
   * A member for this runtime, now in the caller's hands; undefined when there is none. One that still boots is better than
   * a new one: it is further along. Rejects when that boot fails.
   */
  take(runtime: string): Promise<T> | undefined {
    this.asked(runtime, 1);
    const list = this.members.get(runtime);
    const index =
      list === undefined
        ? -1
        : Math.max(
            0,
            list.findIndex((member) => member.booted !== undefined),
          );
    const member = list?.splice(index, 1)[0];
    if (member?.booted !== undefined) this.options.changed();
    else member?.wanted.resolve();
    this.schedule(REFILL_DELAY_MS, 0);
    return member?.booting;
  }

  private asked(runtime: string, starts: number): void {
    this.demands.set(runtime, withStarts(this.demands.get(runtime), starts, this.options.clock.monotonic()));
  }

  /** Booted members, by runtime id. */
  get ready(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const [runtime, list] of this.members) {
      counts.set(runtime, list.filter((member) => member.booted !== undefined).length);
    }
    return counts;
  }

  /** Gives the memory of every waiting member back, e.g. for an instance that needs it more. */
  drop(): void {
    for (const list of this.members.values()) for (const member of list.splice(0)) this.end(member);
  }

  /** Ends all members and resolves when nothing of them is left. */
  async close(): Promise<void> {
    this.closed = true;
    this.timer?.dispose();
    this.drop();
    await this.refilling;
    this.drop();
    await Promise.all(this.endings);
  }

  /** Looks at the pool after `delayMs`, or earlier if that was planned already. A refill under way looks again by itself. */
  private schedule(delayMs: number, waitedMs: number): void {
    if (this.closed || this.refilling !== undefined) return;
    const dueAt = this.options.clock.monotonic() + delayMs;
    if (this.timer !== undefined && this.dueAt <= dueAt) return;
    this.timer?.dispose();
    this.dueAt = dueAt;
    this.timer = this.options.clock.after(delayMs, () => {
      this.timer = undefined;
      if (this.options.busy() && waitedMs < REFILL_PATIENCE_MS) {
        this.schedule(BUSY_DELAY_MS, waitedMs + BUSY_DELAY_MS);
        return;
      }
      this.refilling = this.refill().finally(() => {
        this.refilling = undefined;
        this.schedule(this.nextLookMs(), 0);
      });
    });
  }

  private nextLookMs(): number {
    if (this.failures > 0) return backoffDelay(RETRY, this.failures - 1, this.options.random.float());
    return this.balance() === undefined ? Math.min(LOOK_MS, this.options.policy.recentMs / 2) : REFILL_DELAY_MS;
  }

  /** Brings every list to its desired depth, one boot at a time. */
  private async refill(): Promise<void> {
    for (let runtime = this.balance(); runtime !== undefined && !this.closed; runtime = this.balance()) {
      const member = this.add(runtime);
      try {
        await member.booting;
        this.failures = 0;
      } catch (error) {
        this.failures++;
        this.options.log.log('warn', 'what should wait in the pool could not be made', {
          kind: runtime,
          error: text(error),
        });
        return;
      }
    }
  }

  /** Ends what is too much; the runtime id that lacks a member, if any. */
  private balance(): string | undefined {
    const desired = desiredDepths(this.options.policy, this.demands, this.options.clock.monotonic());
    for (const [runtime, list] of this.members) {
      while (list.length > (desired.get(runtime) ?? 0)) {
        const member = list.pop();
        if (member !== undefined) this.end(member);
      }
    }
    for (const [runtime, depth] of desired) if ((this.members.get(runtime)?.length ?? 0) < depth) return runtime;
    return undefined;
  }

  private add(runtime: string): Member<T> {
    const wanted = Promise.withResolvers<void>();
    const booting = this.options.boot(runtime, wanted.promise);
    const member: Member<T> = { booting, wanted, booted: undefined };
    const list = this.members.get(runtime) ?? [];
    this.members.set(runtime, list);
    list.push(member);
    booting.then(
      (booted) => {
        member.booted = booted;
        this.options.changed();
        const dead = () => this.discard(list, member);
        void booted.handle.exited.then(dead);
        void booted.control?.closed.then(dead);
      },
      () => this.discard(list, member),
    );
    return member;
  }

  /** Removes a member that died while it waited; one that was taken is its taker's concern. */
  private discard(list: Member<T>[], member: Member<T>): void {
    const index = list.indexOf(member);
    if (index === -1) return;
    list.splice(index, 1);
    this.end(member);
    this.schedule(REFILL_DELAY_MS, 0);
  }

  private end(member: Member<T>): void {
    const ending = member.booting
      .then(async (booted) => {
        booted.control?.close();
        await booted.handle.destroy();
      })
      .catch((error: unknown) => {
        // A failed boot cleans up after itself and was reported by the refill.
        if (member.booted !== undefined) {
          this.options.log.log('error', 'what waited in the pool could not be removed', { error: text(error) });
        }
      })
      .finally(() => this.endings.delete(ending));
    this.endings.add(ending);
  }
}
