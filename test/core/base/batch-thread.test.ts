import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type BatchHandler, BatchThread, serveBatches, type Thread } from '../../../src/core/base/batch-thread.ts';

/** A thread in this very process: messages are copied and arrive on a later turn, as between threads. */
function pretendThread(open: () => BatchHandler<number>) {
  const inside: ((message: unknown) => void)[] = [];
  const outside: ((message: unknown) => void)[] = [];
  const ends: ((error: Error | undefined) => void)[] = [];
  const held: boolean[] = [];
  const send = (to: ((message: unknown) => void)[], message: unknown) => {
    const copy: unknown = structuredClone(message);
    setImmediate(() => {
      for (const listener of to) listener(copy);
    });
  };
  const thread: Thread = {
    post: (message) => send(inside, message),
    onMessage: (listener) => void outside.push(listener),
    onEnd: (listener) => void ends.push(listener),
    hold: (yes) => void held.push(yes),
  };
  const end = (error?: Error) => {
    for (const listener of ends) listener(error);
  };
  setImmediate(() => {
    serveBatches<number>(
      { post: (message) => send(outside, message), onMessage: (listener) => void inside.push(listener) },
      open,
    );
  });
  return { thread, end, held };
}

/** Doubles numbers; a batch with a negative one fails as a whole. */
function doubling(batches: number[][], onClose: () => void): BatchHandler<number> {
  return {
    run(calls) {
      batches.push([...calls]);
      if (calls.some((call) => call < 0)) throw new Error('negative');
      return { answers: calls.map((call) => call * 2) };
    },
    afterwards() {},
    close: onClose,
  };
}

async function startDoubling() {
  const batches: number[][] = [];
  const pretend = pretendThread(() => doubling(batches, () => pretend.end()));
  const client = await BatchThread.start<number>({
    thread: pretend.thread,
    defer: setImmediate,
    encode: (calls) => ({ calls }),
    failure: (message) => new Error(`it failed: ${message}`),
    maxCalls: 10,
    maxWeight: 100,
  });
  const call = (value: number, weight = 1) => client.call<number, number>(value, weight, (answer) => answer);
  return { ...pretend, client, batches, call };
}

describe('batch thread', () => {
  it('answers every call, in batches that grow while others are under way, in order', async () => {
    const { call, batches, client } = await startDoubling();
    const order: number[] = [];
    const calls = Array.from({ length: 35 }, async (_, n) => {
      assert.equal(await call(n), 2 * n);
      order.push(n);
    });
    await Promise.all(calls);
    assert.deepEqual(
      batches.flat(),
      Array.from({ length: 35 }, (_, n) => n),
    );
    assert.deepEqual(
      batches.map((batch) => batch.length),
      [10, 10, 10, 5],
    );
    assert.deepEqual(order, batches.flat());
    await client.close();
  });

  it('a batch is full at its weight; a heavier call travels alone', async () => {
    const { call, batches, client } = await startDoubling();
    await Promise.all([call(1, 60), call(2, 40), call(3, 1), call(4, 500), call(5, 1)]);
    assert.deepEqual(batches, [[1, 2], [3], [4], [5]]);
    await client.close();
  });

  it('a failed batch rejects its calls and no others', async () => {
    const { call, client } = await startDoubling();
    const results = await Promise.allSettled([
      ...Array.from({ length: 10 }, (_, n) => call(n === 5 ? -1 : n)),
      call(11),
    ]);
    assert.deepEqual(
      results.map((result) => result.status),
      [...Array.from({ length: 10 }, () => 'rejected'), 'fulfilled'],
    );
    await client.close();
  });

  it('a thread that dies rejects what waits and what comes later', async () => {
    const { call, end, client } = await startDoubling();
    const waiting = call(1);
    end(new Error('out of memory'));
    await assert.rejects(waiting, /it failed: its thread ended \(out of memory\)/);
    await assert.rejects(call(2), /out of memory/);
    await client.close();
  });

  it('a thread that cannot open rejects the start with its reason', async () => {
    const { thread } = pretendThread(() => {
      throw new Error('no such file');
    });
    const options = {
      thread,
      defer: setImmediate,
      encode: (calls: readonly number[]) => ({ calls }),
      failure: (message: string) => new Error(message),
      maxCalls: 1,
      maxWeight: 1,
    };
    await assert.rejects(BatchThread.start(options), /no such file/);
  });

  it('close lets what was called end, and refuses what comes after', async () => {
    const { call, client, held } = await startDoubling();
    assert.equal(held.at(-1), false, 'an idle thread does not keep the process alive');
    const last = call(21);
    assert.equal(held.at(-1), true);
    const closing = client.close();
    await assert.rejects(call(1), /it is closed/);
    assert.equal(await last, 42);
    await closing;
    await client.close();
  });
});
