import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NotBegunError } from '../../../src/core/ports/instance-link.ts';
import { eventCall, loadedRuntime, NODE_COMMANDS, textOf } from '../started-runtime.ts';

/** Says which calls overlap, and does what it is told. */
const CODE = `
let running = 0, begun = [];
exports.handler = async (event) => {
  const order = JSON.parse(event);
  if (++running > 1) throw new Error('two calls at once');
  begun.push(order.name);
  try {
    if (order.do === 'wait') await new Promise((resolve) => setTimeout(resolve, order.ms));
    if (order.do === 'spin') for (const end = Date.now() + order.ms; Date.now() < end; );
    if (order.do === 'exit') process.exit(7);
    return begun.join(' ');
  } finally { running--; }
};`;
const command = NODE_COMMANDS['platform node'] ?? [];
const order = (name: string, does = '', ms = 0): string => JSON.stringify({ name, do: does, ms });

describe('calls that wait behind another on one instance', { timeout: 60_000 }, () => {
  it('run one at a time, in order, and are told when they begin', async () => {
    await using started = await loadedRuntime(command, { 'index.js': CODE });
    const begun: string[] = [];
    const calls = ['a', 'b', 'c', 'd'].map((name) =>
      started.link.invoke(eventCall(order(name, 'wait', 5), { onBegun: () => begun.push(name) })),
    );
    assert.deepEqual(begun, ['a']);
    const answers = await Promise.all(calls);
    assert.equal(await textOf(answers[3]!), 'a b c d');
    assert.deepEqual(begun, ['a', 'b', 'c', 'd']);
    assert.ok(answers.every((answer) => answer.quick === false));
    // One after the other: the engine has compiled nothing yet.
    for (let i = 0; i < 200; i++) await started.link.invoke(eventCall(order('e')));
    assert.equal((await started.link.invoke(eventCall(order('e')))).quick, true);
  });

  it('are taken back before they begin, whoever asks, and only then', async () => {
    await using started = await loadedRuntime(command, { 'index.js': CODE });
    const left = new AbortController();
    const [first, second] = [eventCall(order('first', 'wait', 60)), eventCall(order('second'))];
    const third = eventCall(order('third'), { signal: left.signal });
    const running = started.link.invoke(first);
    const refused = [started.link.invoke(second), started.link.invoke(third)].map((c) =>
      assert.rejects(c, NotBegunError),
    );
    started.link.revoke?.(first);
    started.link.revoke?.(second);
    left.abort(new Error('gone'));
    await Promise.all(refused);
    assert.equal(await textOf(await running), 'first');
  });

  it('are taken back after a call that blocked the runtime, before the next begins', async () => {
    await using started = await loadedRuntime(command, { 'index.js': CODE });
    const behind = eventCall(order('behind'));
    const running = started.link.invoke(eventCall(order('first', 'spin', 100)));
    const refused = assert.rejects(started.link.invoke(behind), NotBegunError);
    setTimeout(() => started.link.revoke?.(behind), 20);
    await Promise.all([running, refused]);
    assert.equal(await textOf(await started.link.invoke(eventCall(order('last')))), 'first last');
  });

  it('have not begun when the process ends in the call before them', async () => {
    await using started = await loadedRuntime(command, { 'index.js': CODE });
    const calls = [order('a'), order('b', 'exit'), order('c'), order('d')].map((text) =>
      started.link.invoke(eventCall(text)),
    );
    const ends = await Promise.allSettled(calls);
    const names = ends.map((end) => (end.status === 'fulfilled' ? 'answered' : (end.reason as Error).name));
    assert.deepEqual(names, ['answered', 'LinkBrokenError', 'NotBegunError', 'NotBegunError']);
  });
});
