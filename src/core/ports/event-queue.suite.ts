import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { endsSuite } from './event-queue-ends.suite.ts';
import type { EventEnd, EventQueue, LeasedEvent, NewEvent, RetryPlan } from './event-queue.ts';

/** One place where a queue keeps its data. Its clock is `time`, which tests move. */
export interface EventQueuePlace {
  /**
   * Opens the queue there; again after a close, or after a crash of whoever had it open. Remembers settled ids 1,000 ms; keeps
   * 3 dead letters of a function, and those 10 s.
   */
  open(): Promise<EventQueue>;
  readonly time: { now: number };
  /**
   * Lets another process enqueue events `crash-<n>` of key `crash` as fast as it can, kills it with SIGKILL once at least
   * `answers` of them were accepted, and gives the ids of all that were.
   */
  crash(answers: number): Promise<readonly string[]>;
}

const bytes = (text: string) => new TextEncoder().encode(text);
const DONE: EventEnd = { state: 'Succeeded', attempts: 1, message: '', followers: [] };
const again = (dueAt: number, countAttempt: boolean): RetryPlan => ({ dueAt, countAttempt, failures: 0 });
const ids = (events: readonly LeasedEvent[]) => events.map((event) => event.id);

function event(id: string, key: string, dueAt = 0): NewEvent {
  return { id, key, dueAt, headers: { of: id }, payload: bytes(`payload of ${id}`) };
}

/** What every event queue promises. `place` makes a fresh, empty one and cleans up after the test. */
export function eventQueueSuite(name: string, place: (test: TestContext) => Promise<EventQueuePlace>): void {
  const withQueue = (title: string, body: (queue: EventQueue, place: EventQueuePlace) => Promise<void>) =>
    void it(title, async (test) => {
      const where = await place(test);
      const queue = await where.open();
      try {
        await body(queue, where);
      } finally {
        await queue.close();
      }
    });
  const leaseOne = async (queue: EventQueue, now: number, leaseMs = 100) => {
    const [leased] = await queue.lease({ max: 1, leaseMs, now });
    assert.ok(leased, 'an event is due');
    return leased;
  };

  endsSuite(name, place);
  describe(`${name}: event queue`, () => {
    withQueue('gives back what was put in', async (queue, { time }) => {
      time.now = 5000;
      assert.deepEqual(await queue.enqueue([event('a', 'k'), { ...event('b', 'k'), payload: bytes('') }]), [
        'accepted',
        'accepted',
      ]);
      const [a, b] = await queue.lease({ max: 10, leaseMs: 100, now: 6000 });
      assert.deepEqual(a, {
        id: 'a',
        key: 'k',
        headers: { of: 'a' },
        payload: bytes('payload of a'),
        acceptedAt: 5000,
        attempts: 0,
        failures: 0,
        epoch: a?.epoch,
        expiresAt: 6100,
        stopping: false,
      });
      assert.equal(b?.payload.byteLength, 0);
      assert.deepEqual(await queue.lease({ max: 10, leaseMs: 100, now: 6000 }), []);
    });

    withQueue('payloads that share one buffer arrive whole and apart', async (queue) => {
      const buffer = new Uint8Array(3000).map((_, index) => index % 251);
      const events = Array.from({ length: 30 }, (_, n) => ({
        ...event(`e${n}`, `k${n % 3}`),
        payload: buffer.subarray(n * 100, n * 100 + n),
      }));
      await Promise.all(events.map((each) => queue.enqueue([each])));
      const leased = await queue.lease({ max: 100, leaseMs: 100, now: 0 });
      assert.equal(leased.length, 30);
      for (const { id, payload } of leased) {
        assert.deepEqual(payload, new Uint8Array(events.find((each) => each.id === id)?.payload ?? []), id);
      }
    });

    withQueue('keeps the order of one key', async (queue) => {
      for (let n = 0; n < 20; n++) await queue.enqueue([event(`e${n}`, 'k')]);
      const order = [];
      for (let n = 0; n < 20; n++) order.push((await leaseOne(queue, 0)).id);
      assert.deepEqual(
        order,
        Array.from({ length: 20 }, (_, n) => `e${n}`),
      );
    });

    withQueue('a duplicate changes nothing, while it waits, is leased, and is remembered', async (queue, { time }) => {
      assert.deepEqual(await queue.enqueue([event('a', 'k'), event('a', 'k')]), ['accepted', 'duplicate']);
      assert.deepEqual(await queue.enqueue([event('a', 'other')]), ['duplicate']);
      const leased = await leaseOne(queue, 0);
      assert.deepEqual(await queue.enqueue([event('a', 'k')]), ['duplicate']);
      time.now = 10_000;
      assert.equal(await queue.settle(leased, DONE), true);
      time.now = 10_999;
      assert.deepEqual(await queue.enqueue([event('a', 'k')]), ['duplicate']);
      assert.equal(await queue.nextDue(), undefined);
      time.now = 11_000;
      assert.deepEqual(await queue.enqueue([event('a', 'k')]), ['accepted'], 'forgotten after its time');
    });

    withQueue('a delayed event waits for its time', async (queue) => {
      await queue.enqueue([event('late', 'k', 2000), event('soon', 'k', 1000), event('other', 'l', 1500)]);
      assert.equal(await queue.nextDue(), 1000);
      assert.deepEqual(await queue.lease({ max: 9, leaseMs: 5000, now: 999 }), []);
      assert.deepEqual(ids(await queue.lease({ max: 9, leaseMs: 5000, now: 1000 })), ['soon']);
      assert.equal(await queue.nextDue(), 1500);
      assert.deepEqual(ids(await queue.lease({ max: 9, leaseMs: 5000, now: 2500 })).toSorted(), ['late', 'other']);
      assert.equal(await queue.nextDue(), 6000, 'the first lease to expire');
    });

    withQueue('an expired lease frees the event under a higher epoch; the old holder can do nothing', async (queue) => {
      await queue.enqueue([event('a', 'k')]);
      const first = await leaseOne(queue, 0);
      assert.equal(await queue.nextDue(), 100);
      assert.deepEqual(await queue.lease({ max: 1, leaseMs: 100, now: 99 }), []);
      const second = await leaseOne(queue, 100);
      assert.equal(second.id, 'a');
      assert.ok(second.epoch > first.epoch);
      assert.equal(second.attempts, 0);
      assert.equal(await queue.renew(first, 9999), false);
      assert.equal(await queue.retry(first, again(0, true)), false);
      assert.equal(await queue.settle(first, DONE), false);
      assert.deepEqual(await queue.lease({ max: 1, leaseMs: 100, now: 150 }), []);
      assert.equal(await queue.settle(second, DONE), true);
      assert.equal(await queue.settle(second, DONE), false);
    });

    withQueue('a renewed lease holds on', async (queue) => {
      await queue.enqueue([event('a', 'k')]);
      const leased = await leaseOne(queue, 0);
      assert.equal(await queue.renew(leased, 500), true);
      assert.deepEqual(await queue.lease({ max: 1, leaseMs: 100, now: 499 }), []);
      assert.equal((await leaseOne(queue, 500)).id, 'a');
    });

    withQueue('retry gives the event back for later and counts when told to', async (queue) => {
      await queue.enqueue([event('a', 'k')]);
      const first = await leaseOne(queue, 0);
      assert.equal(await queue.retry(first, again(1000, true)), true);
      assert.equal(await queue.nextDue(), 1000);
      assert.deepEqual(await queue.lease({ max: 1, leaseMs: 100, now: 999 }), []);
      const second = await leaseOne(queue, 1000);
      assert.equal(second.attempts, 1);
      await queue.retry(second, again(1000, false));
      const third = await leaseOne(queue, 1000);
      assert.equal(third.attempts, 1);
      assert.ok(first.epoch < second.epoch && second.epoch < third.epoch);
      assert.deepEqual(third.payload, bytes('payload of a'));
    });

    withQueue('serves keys in turn, however much one of them holds', async (queue) => {
      await queue.enqueue(Array.from({ length: 300 }, (_, n) => event(`big${n}`, 'big')));
      await queue.enqueue([event('a0', 'a'), event('a1', 'a'), event('b0', 'b')]);
      const first = await queue.lease({ max: 6, leaseMs: 100, now: 0 });
      assert.deepEqual(ids(first).toSorted(), ['a0', 'a1', 'b0', 'big0', 'big1', 'big2']);
      const served = { big: 0, c: 0 };
      await queue.enqueue(Array.from({ length: 50 }, (_, n) => event(`c${n}`, 'c')));
      for (let turn = 0; turn < 30; turn++) {
        for (const { key } of await queue.lease({ max: 3, leaseMs: 100, now: 0 })) served[key === 'c' ? 'c' : 'big']++;
      }
      assert.deepEqual(served, { big: 45, c: 45 });
    });

    withQueue('leaves skipped keys alone', async (queue) => {
      await queue.enqueue([event('a', 'a'), event('b', 'b')]);
      assert.deepEqual(ids(await queue.lease({ max: 9, leaseMs: 100, now: 0, skip: new Set(['a']) })), ['b']);
      assert.deepEqual(ids(await queue.lease({ max: 9, leaseMs: 100, now: 0 })), ['a']);
    });

    withQueue('knows its depth', async (queue, { time }) => {
      const empty = { waiting: 0, leased: 0, oldestAcceptedAt: undefined };
      assert.deepEqual(await queue.depth(), empty);
      time.now = 10;
      await queue.enqueue([event('a', 'a', 99_999)]);
      time.now = 20;
      await queue.enqueue([event('b', 'b'), event('c', 'b')]);
      const leased = await leaseOne(queue, 30);
      assert.deepEqual(await queue.depth(), { waiting: 2, leased: 1, oldestAcceptedAt: 10 });
      assert.deepEqual(await queue.depth('b'), { waiting: 1, leased: 1, oldestAcceptedAt: 20 });
      assert.deepEqual(await queue.depth('none'), empty);
      await queue.settle(leased, DONE);
      assert.deepEqual(await queue.depth('b'), { waiting: 1, leased: 0, oldestAcceptedAt: 20 });
      await queue.settle(await leaseOne(queue, 30), DONE);
      assert.deepEqual(await queue.depth('b'), empty);
    });

    withQueue('announces what was enqueued or given back, not duplicates', async (queue) => {
      const announced: number[] = [];
      const listening = queue.onAvailable((dueAt) => announced.push(dueAt));
      await queue.enqueue([event('a', 'k')]);
      assert.deepEqual(announced.splice(0), [0]);
      await queue.enqueue([event('a', 'k')]);
      assert.deepEqual(announced, []);
      await queue.retry(await leaseOne(queue, 0), again(0, true));
      assert.equal(announced.length, 1);
      assert.ok((announced.pop() ?? 1) <= 0, 'not later than it is due');
      await queue.enqueue([event('late', 'k', 700), event('soon', 'k', 500)]);
      await queue.enqueue([event('soon', 'k', 1), event('later', 'k', 900)]);
      assert.deepEqual(announced.splice(0), [500, 900], 'the earliest of what was accepted');
      listening.dispose();
      await queue.enqueue([event('b', 'k')]);
      assert.deepEqual(announced, []);
    });

    withQueue('holds everything after closing and opening again', async (queue, where) => {
      await queue.enqueue([event('done', 'k')]);
      await queue.settle(await leaseOne(queue, 0), DONE);
      await queue.enqueue([event('held', 'k'), event('back', 'k'), event('late', 'k', 700), event('other', 'o')]);
      const held = await leaseOne(queue, 0, 500);
      const lent = await queue.lease({ max: 2, leaseMs: 500, now: 0 });
      const back = lent.find((each) => each.id === 'back');
      assert.ok(back);
      await queue.retry(back, again(50, true));
      const depth = await queue.depth();
      await queue.close();

      const next = await where.open();
      assert.deepEqual(await next.depth(), depth);
      assert.deepEqual(await next.enqueue([event('done', 'k'), event('held', 'k')]), ['duplicate', 'duplicate']);
      const [retried] = await next.lease({ max: 9, leaseMs: 500, now: 60 });
      assert.equal(retried?.attempts, 1);
      assert.equal(await next.renew(held, 900), true, 'a lease outlives the restart');
      assert.deepEqual(ids(await next.lease({ max: 9, leaseMs: 500, now: 800 })).toSorted(), ['back', 'late', 'other']);
      assert.equal(await next.settle(held, DONE), true);
      await next.close();
    });

    withQueue('works off many events of many keys from many hands, each once', async (queue) => {
      await Promise.all(Array.from({ length: 1000 }, (_, n) => queue.enqueue([event(`e${n}`, `k${n % 13}`)])));
      const done: string[] = [];
      const work = async () => {
        for (;;) {
          const leased = await queue.lease({ max: 7, leaseMs: 100, now: 0 });
          if (leased.length === 0) return;
          for (const each of leased) if (await queue.settle(each, DONE)) done.push(each.id);
        }
      };
      await Promise.all(Array.from({ length: 8 }, work));
      assert.equal(done.length, 1000);
      assert.equal(new Set(done).size, 1000);
      assert.equal(await queue.nextDue(), undefined);
    });

    withQueue('rejects after close, and refuses times that are none', async (queue) => {
      await assert.rejects(queue.enqueue([event('a', 'k', Number.NaN)]), TypeError);
      assert.deepEqual(await queue.enqueue([event('a', 'k')]), ['accepted'], 'the refused one left no trace');
      await queue.close();
      await assert.rejects(queue.enqueue([event('b', 'k')]));
      await queue.close();
    });

    it('everything accepted is there after SIGKILL of the accepting process', async (test) => {
      const where = await place(test);
      const accepted = await where.crash(500);
      assert.ok(accepted.length >= 500);
      const queue = await where.open();
      const found = new Set<string>();
      for (;;) {
        const leased = await queue.lease({ max: 1000, leaseMs: 1e9, now: Number.MAX_SAFE_INTEGER - 2e9 });
        if (leased.length === 0) break;
        for (const each of leased) found.add(each.id);
      }
      assert.deepEqual(
        accepted.filter((id) => !found.has(id)),
        [],
      );
      await queue.close();
    });
  });
}
