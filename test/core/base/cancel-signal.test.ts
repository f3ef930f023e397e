import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cancellation, toAbortSignal } from '../../../src/core/base/cancel-signal.ts';

test('listeners are told once, those that left are not', () => {
  const cancellation = new Cancellation();
  const told: string[] = [];
  const first = { handleEvent: () => void told.push('first') };
  const second = { handleEvent: () => void told.push('second') };
  cancellation.addEventListener('abort', first);
  cancellation.addEventListener('abort', second);
  cancellation.addEventListener('abort', second);
  cancellation.removeEventListener('abort', first);
  assert.equal(cancellation.aborted, false);
  cancellation.abort('why');
  cancellation.abort('again');
  cancellation.addEventListener('abort', first);
  assert.deepEqual(told, ['second']);
  assert.deepEqual([cancellation.aborted, cancellation.reason], [true, 'why']);
});

test('a listener may leave while others are told', () => {
  const cancellation = new Cancellation();
  const told: string[] = [];
  const first = {
    handleEvent() {
      told.push('first');
      cancellation.removeEventListener('abort', first);
    },
  };
  cancellation.addEventListener('abort', first);
  cancellation.addEventListener('abort', { handleEvent: () => void told.push('second') });
  cancellation.abort(undefined);
  assert.deepEqual(told, ['first', 'second']);
});

test('a real AbortSignal follows, before and after, and stays itself', () => {
  const before = new Cancellation();
  const signal = toAbortSignal(before);
  assert.equal(signal.aborted, false);
  before.abort('now');
  assert.deepEqual([signal.aborted, signal.reason], [true, 'now']);
  assert.equal(toAbortSignal(before).reason, 'now');
  const real = new AbortController().signal;
  assert.equal(toAbortSignal(real), real);
});
