import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { LetterCause } from '../domain/dead-letter.ts';
import type { EndRecord, EventEnd, EventQueue, NewEvent } from './event-queue.ts';
import type { EventQueuePlace } from './event-queue.suite.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (of: Uint8Array | undefined) => new TextDecoder().decode(of);
const DONE: EventEnd = { state: 'Succeeded', attempts: 1, message: '', followers: [] };

function event(id: string, key = 'acc/f', more: Partial<NewEvent> = {}): NewEvent {
  return { id, key, dueAt: 0, headers: { of: id }, payload: bytes(`payload of ${id}`), ...more };
}

function task(taskId: string, dueAt = 0): NewEvent {
  const identity = { account: 'acc', functionName: 'f', qualifier: 'LATEST', taskId, requestId: `r-${taskId}` };
  return event(`task:${taskId}`, 'acc/f', { task: identity, dueAt });
}

function cause(functionName: string, message = 'it broke'): LetterCause {
  return {
    account: 'acc',
    functionName,
    kind: 'invocation',
    state: 'Failed',
    requestId: 'r1',
    taskId: 't1',
    qualifier: 'LATEST',
    message,
    attempts: 4,
  };
}

async function leaseOne(queue: EventQueue, now = 0) {
  const [leased] = await queue.lease({ max: 1, leaseMs: 100, now });
  assert.ok(leased, 'an event is due');
  return leased;
}

/** What every event queue promises about ends, tasks and dead letters. Part of `eventQueueSuite`. */
export function endsSuite(name: string, place: (test: TestContext) => Promise<EventQueuePlace>): void {
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

  describe(`${name}: ends`, () => {
    withQueue('an end brings what follows with it, and is told until it is known', async (queue, where) => {
      where.time.now = 10;
      const heard: EndRecord[] = [];
      queue.onEnd((end) => heard.push(end));
      await queue.enqueue([event('a'), event('b')]);
      const [a, b] = await queue.lease({ max: 2, leaseMs: 100, now: 10 });
      assert.ok(a && b);
      where.time.now = 20;
      assert.ok(await queue.settle(a, { ...DONE, followers: [event('c', 'acc/f#deliveries')] }));
      assert.ok(
        await queue.settle(b, { ...DONE, state: 'Failed', attempts: 3, message: 'no', followers: [event('c')] }),
      );
      assert.equal(await queue.settle(a, DONE), false);
      const [first, second] = heard;
      assert.ok(first && second && first.number < second.number);
      assert.deepEqual(first, {
        number: first.number,
        id: 'a',
        headers: { of: 'a' },
        acceptedAt: 10,
        state: 'Succeeded',
        attempts: 1,
        message: '',
        at: 20,
      });
      assert.deepEqual([second.state, second.attempts, second.message], ['Failed', 3, 'no']);
      assert.deepEqual(await queue.untold(9), heard);
      await queue.close();

      const again = await where.open();
      assert.deepEqual(await again.untold(9), heard, 'they outlive whoever recorded them');
      assert.deepEqual(await again.untold(1), [first]);
      await again.told(first.number);
      assert.deepEqual(await again.untold(9), [second]);
      const next = await leaseOne(again, 20);
      assert.deepEqual([next.id, next.key, text(next.payload)], ['c', 'acc/f#deliveries', 'payload of c']);
      assert.equal((await again.depth()).waiting, 0, 'a follower that is known already changes nothing');
      let number = 0;
      again.onEnd((end) => (number = end.number));
      await again.settle(next, DONE);
      assert.ok(number > second.number);
      await again.close();
    });

    withQueue('an end that is not the holder’s leaves nothing behind', async (queue) => {
      await queue.enqueue([event('a')]);
      const old = await leaseOne(queue, 0);
      const now = await leaseOne(queue, 100);
      const end = { ...DONE, state: 'Failed', letter: cause('f'), followers: [event('b')] } as const;
      assert.equal(await queue.settle(old, end), false);
      assert.deepEqual(await queue.untold(9), []);
      assert.deepEqual(await queue.letters.list({ account: 'acc', limit: 9 }), []);
      assert.equal((await queue.depth()).waiting, 0);
      assert.ok(await queue.settle(now, DONE));
    });

    withQueue('who takes over has every lease, the former holder none', async (queue, where) => {
      await queue.enqueue([event('a'), event('b', 'acc/g'), event('waits', 'acc/h', { dueAt: 5_000 })]);
      const held = await queue.lease({ max: 2, leaseMs: 10_000, now: 0 });
      const [a] = held;
      assert.ok(a);
      await queue.retry(a, { dueAt: 0, countAttempt: true, failures: 3 });
      const again = await leaseOne(queue, 0);
      assert.deepEqual([again.attempts, again.failures], [1, 3]);
      await queue.close();
      const next = await where.open();
      const taken = await next.takeOver({ leaseMs: 50, now: 200 });
      assert.deepEqual(taken.map(({ id, expiresAt }) => `${id} ${expiresAt}`).toSorted(), ['a 250', 'b 250']);
      const mine = taken.find(({ id }) => id === 'a');
      assert.ok(mine && mine.epoch > again.epoch);
      assert.deepEqual([mine.attempts, mine.failures, text(mine.payload)], [1, 3, 'payload of a']);
      for (const each of [...held, again]) assert.equal(await next.settle(each, DONE), false);
      assert.ok(await next.settle(mine, DONE));
      assert.equal((await next.depth()).leased, 1);
      await next.close();
    });

    withQueue('knows the depth of the keys that hold most', async (queue) => {
      await queue.enqueue([event('a', 'k'), event('b', 'l'), event('c', 'l'), event('d', 'm')]);
      const depths = await queue.depths(2);
      assert.deepEqual(depths[0], { key: 'l', waiting: 2, leased: 0, oldestAcceptedAt: 0 });
      assert.equal(depths.length, 2);
    });
  });

  describe(`${name}: tasks`, () => {
    const get = async (queue: EventQueue, id: string) => {
      const stored = await queue.tasks.get('acc', 'f', id);
      assert.ok(stored, `task ${id} is there`);
      return stored;
    };

    withQueue('a task is followed from its acceptance to its end, and after', async (queue, where) => {
      where.time.now = 10;
      assert.deepEqual(await queue.enqueue([task('one'), task('one')]), ['accepted', 'duplicate']);
      assert.equal((await get(queue, 'one')).task.status, 'Enqueued');
      assert.equal(text((await get(queue, 'one')).payload), 'payload of task:one');
      const first = await leaseOne(queue, 20);
      where.time.now = 30;
      assert.ok(await queue.tasks.running(first, 'i-1'));
      where.time.now = 40;
      await queue.retry(first, { dueAt: 40, countAttempt: true, failures: 0, message: 'oops', durationMs: 7 });
      const second = await leaseOne(queue, 50);
      assert.equal(await queue.tasks.running(first, 'i-0'), false, 'only the holder can tell');
      await queue.tasks.running(second, 'i-2');
      where.time.now = 60;
      await queue.settle(second, { ...DONE, attempts: 2, result: { payload: bytes('result'), durationMs: 9 } });
      const stored = await get(queue, 'one');
      assert.deepEqual([text(stored.payload), text(stored.result)], ['payload of task:one', 'result']);
      const { steps, ...rest } = stored.task;
      assert.deepEqual(rest, {
        account: 'acc',
        functionName: 'f',
        qualifier: 'LATEST',
        taskId: 'one',
        requestId: 'r-one',
        status: 'Succeeded',
        startedAt: 10,
        endedAt: 60,
        retries: 1,
        instanceId: 'i-2',
        durationMs: 9,
        message: '',
        destinationStatus: '',
      });
      assert.deepEqual(
        steps.map(({ status, at, detail }) => `${status} ${at} ${detail}`.trim()),
        [
          'Enqueued 10',
          'Dequeued 20',
          'Running 30 i-1',
          'Retrying 40 oops',
          'Dequeued 50',
          'Running 40 i-2',
          'Succeeded 60',
        ],
      );
      await queue.enqueue([event('delivery', 'acc/f#deliveries')]);
      const delivered = { account: 'acc', functionName: 'f', taskId: 'one', status: 'Succeeded' };
      await queue.settle(await leaseOne(queue, 60), { ...DONE, delivered });
      assert.equal((await get(queue, 'one')).task.destinationStatus, 'Succeeded');
      assert.equal(await queue.tasks.stop('acc', 'f', 'one'), 'ended');
      await queue.close();
      const again = await where.open();
      assert.equal((await get(again, 'one')).task.status, 'Succeeded');
      where.time.now = 60 + 1_000;
      await again.enqueue([task('two')]);
      await again.settle(await leaseOne(again, 2_000), DONE);
      assert.equal(await again.tasks.get('acc', 'f', 'one'), undefined, 'forgotten with the id');
      await again.close();
    });

    withQueue('a waiting task is stopped at once, a held one by its holder', async (queue, where) => {
      const ends: EndRecord[] = [];
      const stops: string[] = [];
      queue.onEnd((end) => ends.push(end));
      queue.tasks.onStop((id) => stops.push(id));
      await queue.enqueue([task('late', 5_000), task('held')]);
      assert.equal(await queue.tasks.stop('acc', 'f', 'none'), undefined);
      assert.equal(await queue.tasks.stop('acc', 'f', 'late'), 'stopped');
      assert.deepEqual(
        ends.map(({ id, state }) => [id, state]),
        [['task:late', 'Stopped']],
      );
      assert.deepEqual(await queue.enqueue([task('late')]), ['duplicate']);
      assert.equal(await queue.tasks.stop('acc', 'f', 'late'), 'ended');
      const held = await leaseOne(queue, 0);
      assert.equal(await queue.tasks.stop('acc', 'f', 'held'), 'stopping');
      assert.deepEqual(stops, ['task:held']);
      assert.equal((await get(queue, 'held')).task.status, 'Stopping');
      assert.equal(await queue.tasks.running(held, 'i'), false);
      assert.equal((await queue.depth()).waiting, 0);
      await queue.close();
      const again = await where.open();
      const [taken] = await again.takeOver({ leaseMs: 100, now: 0 });
      assert.equal(taken?.stopping, true);
      assert.ok(taken);
      await again.retry(taken, { dueAt: 99_000, countAttempt: false, failures: 0, message: 'later' });
      const last = await leaseOne(again, 0);
      assert.deepEqual([last.id, last.stopping], ['task:held', true], 'it does not wait to be ended');
      await again.settle(last, { ...DONE, state: 'Stopped' });
      assert.deepEqual(
        (await get(again, 'held')).task.steps.map(({ status }) => status),
        ['Enqueued', 'Dequeued', 'Stopping', 'Stopped'],
      );
      await again.close();
    });

    withQueue('lists tasks by every filter, page by page', async (queue, { time }) => {
      for (let n = 0; n < 7; n++) {
        time.now = 100 * n;
        await queue.enqueue([task(n < 4 ? `job-${n}` : `other-${n}`)]);
      }
      for (let n = 0; n < 2; n++) await queue.settle(await leaseOne(queue, 900), DONE);
      const base = { account: 'acc', functionName: 'f', order: 'asc', limit: 100, payload: false } as const;
      const list = async (more: object) => {
        const { items } = await queue.tasks.list({ ...base, ...more });
        return items.map((each) => each.task.taskId).join(' ');
      };
      assert.equal(await list({}), 'job-0 job-1 job-2 job-3 other-4 other-5 other-6');
      assert.equal(await list({ order: 'desc', limit: 2 }), 'other-6 other-5');
      assert.equal(await list({ prefix: 'job-' }), 'job-0 job-1 job-2 job-3');
      assert.equal(await list({ prefix: 'job_' }), '');
      assert.equal(await list({ status: 'Succeeded' }), 'job-0 job-1');
      assert.equal(await list({ from: 200, to: 400 }), 'job-2 job-3 other-4');
      assert.equal(await list({ qualifier: 'prod' }), '');
      assert.equal(await list({ functionName: 'g' }), '');
      const pages: string[] = [];
      let after: string | undefined;
      do {
        const query = { ...base, order: 'desc', limit: 3, payload: true } as const;
        const page = await queue.tasks.list(after === undefined ? query : { ...query, after });
        pages.push(page.items.map((each) => `${each.task.taskId}:${text(each.payload).slice(-1)}`).join(' '));
        after = page.next;
      } while (after !== undefined);
      assert.deepEqual(pages, ['other-6:6 other-5:5 other-4:4', 'job-3:3 job-2:2 job-1:1', 'job-0:0']);
    });
  });

  describe(`${name}: dead letters`, () => {
    const die = async (queue: EventQueue, id: string, why: LetterCause) => {
      await queue.enqueue([event(id, `acc/${why.functionName}`)]);
      await queue.settle(await leaseOne(queue), { ...DONE, state: 'Failed', letter: why });
    };
    const numbers = async (queue: EventQueue, more: object) =>
      (await queue.letters.list({ account: 'acc', limit: 99, ...more })).map(({ message }) => message);

    withQueue('a letter keeps the event and why it died, and is found by all of it', async (queue, where) => {
      where.time.now = 1_000;
      await die(queue, 'a', cause('f', 'first one'));
      where.time.now = 2_000;
      await die(queue, 'b', { ...cause('g', 'Second'), evidence: { chain: ['f', 'g'] }, taskId: 'job-9' });
      await queue.close();
      const again = await where.open();
      assert.deepEqual(await numbers(again, {}), ['Second', 'first one']);
      assert.deepEqual(await numbers(again, { account: 'other' }), []);
      assert.deepEqual(await numbers(again, { functionName: 'f' }), ['first one']);
      assert.deepEqual(await numbers(again, { since: 1_001 }), ['Second']);
      assert.deepEqual(await numbers(again, { until: 1_999 }), ['first one']);
      assert.deepEqual(await numbers(again, { state: 'Expired' }), []);
      assert.deepEqual(await numbers(again, { text: 'JOB-9' }), ['Second']);
      assert.deepEqual(await numbers(again, { text: '"of":"a"' }), ['first one']);
      const [second] = await again.letters.list({ account: 'acc', limit: 1 });
      assert.ok(second);
      assert.deepEqual(await numbers(again, { before: second.number }), ['first one']);
      const stored = await again.letters.get('acc', second.number);
      assert.deepEqual([stored?.headers, text(stored?.payload)], [{ of: 'b' }, 'payload of b']);
      assert.deepEqual(stored?.letter, second);
      assert.deepEqual(second.evidence, { chain: ['f', 'g'] });
      assert.equal(second.payloadBytes, 'payload of b'.length);
      assert.equal(await again.letters.get('other', second.number), undefined, 'of another account');
      assert.deepEqual(await again.letters.counts(), [
        { account: 'acc', functionName: 'f', count: 1 },
        { account: 'acc', functionName: 'g', count: 1 },
      ]);
      await again.close();
    });

    withQueue('a letter is redriven or removed once', async (queue) => {
      await die(queue, 'a', cause('f'));
      await die(queue, 'b', cause('f'));
      const [b, a] = await queue.letters.list({ account: 'acc', limit: 9 });
      assert.ok(a && b);
      let announced = 0;
      queue.onAvailable(() => announced++);
      assert.equal(await queue.letters.redrive('other', a.number, event('x')), false);
      assert.equal(await queue.letters.redrive('acc', a.number, event('x')), true);
      assert.equal(await queue.letters.redrive('acc', a.number, event('y')), false);
      assert.equal(announced, 1);
      assert.equal((await leaseOne(queue)).id, 'x');
      assert.equal(await queue.letters.remove('other', b.number), false);
      assert.equal(await queue.letters.remove('acc', b.number), true);
      assert.equal(await queue.letters.remove('acc', b.number), false);
      assert.deepEqual(await queue.letters.counts(), []);
      assert.equal((await queue.depth()).waiting, 0);
    });

    withQueue('keeps 3 letters of a function and none longer than 10 s', async (queue, { time }) => {
      for (let n = 0; n < 5; n++) await die(queue, `f${n}`, cause('f', `f${n}`));
      await die(queue, 'g', cause('g', 'g'));
      assert.deepEqual(await numbers(queue, {}), ['g', 'f4', 'f3', 'f2']);
      time.now = 9_999;
      await die(queue, 'late', cause('g', 'late'));
      time.now = 10_000;
      assert.deepEqual(await numbers(queue, {}), ['late'], 'the others are too old');
      await die(queue, 'last', cause('g', 'last'));
      assert.deepEqual(await numbers(queue, {}), ['last', 'late']);
    });
  });
}
