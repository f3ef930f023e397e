import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BatchSender } from '../../../src/core/base/batch-sender.ts';

/** A sender whose turns are taken by hand; what it sent, and a clock. */
function startSender(maxCalls = 100) {
  const sent: number[][] = [];
  const turns: (() => void)[] = [];
  const time = { now: 0 };
  const sender = new BatchSender<number>({
    send: (calls) => sent.push([...calls]),
    defer: (action) => void turns.push(action),
    busy: () => undefined,
    maxInFlight: 2,
    maxCalls,
    maxWeight: 1_000,
    gather: { maxMs: 1, now: () => time.now },
  });
  let next = 0;
  const call = (count: number): void => {
    for (let n = 0; n < count; n++) void sender.call(next++, 1, () => undefined);
  };
  const turn = (): void => {
    for (const action of turns.splice(0)) action();
  };
  return { sender, sent, time, call, turn, sizes: () => sent.map((batch) => batch.length) };
}

describe('batch sender that gathers', () => {
  it('sends a call that comes alone, and a few, at the next turn', () => {
    const { call, turn, sizes } = startSender();
    call(1);
    turn();
    assert.deepEqual(sizes(), [1]);
    call(3);
    turn();
    assert.deepEqual(sizes(), [1, 3]);
  });

  it('holds a crowd back until a turn brings nobody', () => {
    const { call, turn, sizes } = startSender();
    call(5);
    turn();
    call(5);
    turn();
    assert.deepEqual(sizes(), []);
    turn();
    assert.deepEqual(sizes(), [10]);
  });

  it('holds nobody back for longer than its time', () => {
    const { call, turn, sizes, time } = startSender();
    call(5);
    turn();
    for (const now of [0.4, 0.9, 1]) {
      assert.deepEqual(sizes(), []);
      time.now = now;
      call(1);
      turn();
    }
    assert.deepEqual(sizes(), [8]);
  });

  it('sends a full batch at the next turn, and after an answer at once', () => {
    const { sender, call, turn, sizes } = startSender(10);
    call(35);
    turn();
    assert.deepEqual(sizes(), [10, 10], 'two are under way');
    sender.answered(Array.from({ length: 10 }), undefined);
    assert.deepEqual(sizes(), [10, 10, 10]);
    sender.answered(Array.from({ length: 10 }), undefined);
    assert.deepEqual(sizes(), [10, 10, 10], 'who comes in the same turn goes with the rest');
    call(1);
    turn();
    turn();
    assert.deepEqual(sizes(), [10, 10, 10, 6]);
  });

  it('answers each call with its own answer, however its batch came about', async () => {
    const { sender, turn, sent } = startSender();
    const answers = Array.from({ length: 6 }, (_, n) => sender.call(n, 1, (answer: number) => answer));
    turn();
    turn();
    assert.deepEqual(sent, [[0, 1, 2, 3, 4, 5]]);
    sender.answered([0, 10, 20, 30, 40, 50], undefined);
    assert.deepEqual(await Promise.all(answers), [0, 10, 20, 30, 40, 50]);
    await sender.idle();
  });
});
