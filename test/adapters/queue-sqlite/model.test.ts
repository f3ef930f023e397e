import assert from 'node:assert/strict';
import { join } from 'node:path';
import { it } from 'node:test';
import fc from 'fast-check';
import { openEventQueue } from '../../../src/adapters/queue-sqlite/index.ts';
import type { EventQueue, LeasedEvent } from '../../../src/core/ports/event-queue.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { systemClock } from '../../../src/adapters/clock-system/index.ts';

const DONE = { state: 'Succeeded', attempts: 1, message: '', followers: [] } as const;

interface ModelEvent {
  readonly key: string;
  dueAt: number;
  attempts: number;
  failures: number;
  epoch: number;
  /** Undefined while it waits. */
  expiresAt: number | undefined;
}

const REMEMBER_MS = 50;
const KEYS = ['a', 'b', 'c'];

type Step =
  | { readonly do: 'enqueue'; readonly id: number; readonly delay: number }
  | { readonly do: 'burst'; readonly ids: readonly number[]; readonly delay: number }
  | { readonly do: 'lease'; readonly max: number; readonly skip: string | undefined }
  | { readonly do: 'renew' | 'retry' | 'settle'; readonly pick: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'take-over' }
  | { readonly do: 'reopen' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('enqueue' as const), id: fc.nat(40), delay: fc.nat(60) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('lease' as const),
      max: fc.integer({ min: 1, max: 7 }),
      skip: fc.option(fc.constantFrom(...KEYS), { nil: undefined }),
    }),
  },
  {
    weight: 2,
    // From 16 on they go into the tables in groups; some are there already, some twice.
    arbitrary: fc.record({
      do: fc.constant('burst' as const),
      ids: fc.array(fc.nat(400), { minLength: 15, maxLength: 50 }),
      delay: fc.nat(10),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('renew', 'retry', 'settle'), pick: fc.nat(100) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('take-over' as const) }) },
);

/** The queue as plain data, and the real one beside it: every answer must agree. */
class Comparison {
  queue: EventQueue;
  private now = 1000;
  private readonly events = new Map<string, ModelEvent>();
  private readonly settled = new Map<string, number>();
  private readonly everLeased: LeasedEvent[] = [];
  /** In the order of their ends. */
  private readonly ended: string[] = [];
  private nextFollower = 0;
  private readonly open: (now: () => number) => Promise<EventQueue>;

  constructor(queue: EventQueue, open: (now: () => number) => Promise<EventQueue>) {
    this.queue = queue;
    this.open = open;
  }

  static async start(open: (now: () => number) => Promise<EventQueue>): Promise<Comparison> {
    const comparison: Comparison = new Comparison(await open(() => comparison.now), open);
    return comparison;
  }

  async apply(each: Step): Promise<void> {
    if (each.do === 'enqueue') await this.enqueue([each.id], this.now + each.delay);
    else if (each.do === 'burst') await this.enqueue(each.ids, this.now + each.delay);
    else if (each.do === 'lease') await this.lease(each.max, new Set(each.skip === undefined ? [] : [each.skip]));
    else if (each.do === 'wait') this.now += each.ms;
    else if (each.do === 'take-over') await this.takeOver();
    else if (each.do === 'reopen') {
      await this.queue.close();
      this.queue = await this.open(() => this.now);
    } else await this.change(each.do, each.pick);
    await this.compare();
  }

  private async enqueue(numbers: readonly number[], dueAt: number): Promise<void> {
    const events = numbers.map((number) => {
      const id = `e${number}`;
      return { id, key: KEYS[number % 3] ?? 'a', dueAt, headers: id, payload: new TextEncoder().encode(id) };
    });
    const expected = events.map(({ id, key }) => {
      const settledAt = this.settled.get(id);
      const remembered = settledAt !== undefined && settledAt > this.now - REMEMBER_MS;
      if (this.events.has(id) || remembered) return 'duplicate';
      this.settled.delete(id);
      this.events.set(id, { key, dueAt, attempts: 0, failures: 0, epoch: 0, expiresAt: undefined });
      return 'accepted';
    });
    assert.deepEqual(await this.queue.enqueue(events), expected);
  }

  private async lease(max: number, skip: ReadonlySet<string>): Promise<void> {
    for (const event of this.events.values()) {
      if (event.expiresAt !== undefined && event.expiresAt <= this.now) event.expiresAt = undefined;
    }
    const due = KEYS.filter((key) => !skip.has(key)).map(
      (key) => [...this.events.values()].filter((e) => e.key === key && !e.expiresAt && e.dueAt <= this.now).length,
    );
    const leased = await this.queue.lease({ max, leaseMs: 30, now: this.now, skip });
    assert.equal(
      leased.length,
      Math.min(
        max,
        due.reduce((sum, count) => sum + count, 0),
      ),
    );
    for (const each of leased) {
      const event = this.events.get(each.id);
      assert.ok(event !== undefined && event.expiresAt === undefined && event.dueAt <= this.now, `${each.id} is free`);
      assert.ok(!skip.has(each.key) && each.epoch > event.epoch);
      assert.deepEqual([each.attempts, each.failures], [event.attempts, event.failures]);
      assert.equal(new TextDecoder().decode(each.payload), each.id);
      Object.assign(event, { epoch: each.epoch, expiresAt: this.now + 30 });
      this.everLeased.push(each);
    }
    // Fair: nobody gets two more than someone who still has something due.
    const got = KEYS.filter((key) => !skip.has(key)).map((key) => leased.filter((each) => each.key === key).length);
    for (const [index, count] of got.entries()) {
      if (count < (due[index] ?? 0)) assert.ok(Math.max(...got) <= count + 1, `shares ${got.join()} of ${due.join()}`);
    }
  }

  private async change(what: 'renew' | 'retry' | 'settle', pick: number): Promise<void> {
    const lease = this.everLeased[pick % Math.max(1, this.everLeased.length)];
    if (lease === undefined) return;
    const event = this.events.get(lease.id);
    const holds = event !== undefined && event.expiresAt !== undefined && event.epoch === lease.epoch;
    if (what === 'renew') {
      assert.equal(await this.queue.renew(lease, this.now + 100), holds);
      if (holds) event.expiresAt = this.now + 100;
    } else if (what === 'retry') {
      assert.equal(
        await this.queue.retry(lease, { dueAt: this.now + 5, countAttempt: pick % 2 === 0, failures: pick % 5 }),
        holds,
      );
      if (!holds) return;
      event.expiresAt = undefined;
      event.dueAt = this.now + 5;
      event.attempts += pick % 2 === 0 ? 1 : 0;
      event.failures = pick % 5;
    } else {
      // One in three has an event that follows; its key comes after all others.
      const id = `follows-${this.nextFollower++}`;
      const follower = { id, key: 'c', dueAt: this.now, headers: null, payload: new TextEncoder().encode(id) };
      const followers = pick % 3 === 0 ? [follower] : [];
      assert.equal(await this.queue.settle(lease, { ...DONE, followers }), holds);
      if (!holds) return;
      this.events.delete(lease.id);
      this.settled.set(lease.id, this.now);
      this.ended.push(lease.id);
      for (const { key, dueAt } of followers) {
        this.events.set(id, { key, dueAt, attempts: 0, failures: 0, epoch: 0, expiresAt: undefined });
      }
    }
  }

  private async takeOver(): Promise<void> {
    const held = [...this.events].filter(([, event]) => event.expiresAt !== undefined);
    const taken = await this.queue.takeOver({ leaseMs: 30, now: this.now });
    assert.deepEqual(taken.map(({ id }) => id).toSorted(), held.map(([id]) => id).toSorted());
    for (const each of taken) {
      const event = this.events.get(each.id);
      assert.ok(event !== undefined && each.epoch > event.epoch);
      Object.assign(event, { epoch: each.epoch, expiresAt: this.now + 30 });
      this.everLeased.push(each);
    }
  }

  private async compare(): Promise<void> {
    const untold = (await this.queue.untold(1_000)).map(({ id }) => id);
    assert.deepEqual(untold, this.ended);
    const events = [...this.events.values()];
    for (const key of [undefined, ...KEYS]) {
      const own = events.filter((event) => key === undefined || event.key === key);
      const depth = await this.queue.depth(key);
      assert.equal(depth.waiting, own.filter((event) => event.expiresAt === undefined).length);
      assert.equal(depth.leased, own.filter((event) => event.expiresAt !== undefined).length);
    }
    const next = events.length === 0 ? undefined : Math.min(...events.map((event) => event.expiresAt ?? event.dueAt));
    const told = await this.queue.nextDue();
    // Something that is due already may be told by any time that has passed.
    assert.ok(told === next || (told !== undefined && next !== undefined && Math.max(told, next) <= this.now));
  }
}

it('queue-sqlite does what the model does, whatever happens in whatever order', { timeout: 120_000 }, async (test) => {
  const dir = await temporaryFolder(test);
  let file = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 80 }), async (steps) => {
      const path = join(dir, `queue-${file++}.db`);
      const comparison = await Comparison.start((now) =>
        openEventQueue({ path, clock: { ...systemClock, now }, rememberMs: REMEMBER_MS }),
      );
      try {
        for (const each of steps) await comparison.apply(each);
      } finally {
        await comparison.queue.close();
      }
    }),
    { numRuns: 25 },
  );
});
