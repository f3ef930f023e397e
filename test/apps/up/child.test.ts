import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SupervisedChild } from '../../../src/apps/up/child.ts';
import { silentLogger } from '../../../src/core/base/log.ts';

function childOf(program: string, options: { onMessage?: (message: unknown) => void; onHopeless?: () => void }) {
  return new SupervisedChild({
    name: 'test process',
    entry: '-e',
    args: [program],
    env: {},
    logger: silentLogger,
    onMessage: options.onMessage ?? (() => {}),
    onHopeless: options.onHopeless ?? (() => assert.fail('given up')),
  });
}

const SERVES = `process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1000); process.send({ type: 'ready' });`;

test('a process that ends is started again, until it is told to end', { timeout: 30_000 }, async () => {
  let starts = 0;
  const twice = Promise.withResolvers<void>();
  const child = childOf(SERVES, {
    onMessage() {
      starts++;
      if (starts === 3) twice.resolve();
      else process.kill(child.pid ?? 0, 'SIGKILL');
    },
  });
  child.start();
  await twice.promise;
  assert.equal(await child.end(10_000), true);
  assert.equal(starts, 3);
});

test('one that ends before it was ready is not tried again', { timeout: 30_000 }, async () => {
  const gaveUp = Promise.withResolvers<void>();
  const child = childOf('process.exit(3)', { onHopeless: gaveUp.resolve });
  child.start();
  await gaveUp.promise;
  assert.equal(await child.end(10_000), false);
});

test('one that cannot even be started is not waited for', { timeout: 30_000 }, async (context) => {
  const gaveUp = Promise.withResolvers<void>();
  const child = childOf(SERVES, { onHopeless: gaveUp.resolve });
  const { execPath } = process;
  context.after(() => void (process.execPath = execPath));
  process.execPath = '/nowhere/node';
  child.start();
  await gaveUp.promise;
  assert.equal(await child.end(10_000), false);
});

test('one that was just killed is brought up once more, so that it can end in order', { timeout: 30_000 }, async () => {
  let starts = 0;
  const child = childOf(SERVES, {
    onMessage() {
      starts++;
      if (starts === 1) process.kill(child.pid ?? 0, 'SIGKILL');
    },
  });
  const killed = Promise.withResolvers<void>();
  child.start();
  const { pid } = child;
  const look = setInterval(() => {
    try {
      process.kill(pid ?? 0, 0);
    } catch {
      clearInterval(look);
      killed.resolve();
    }
  }, 5);
  await killed.promise;
  assert.equal(await child.serving(10_000), true);
  assert.equal(await child.end(10_000), true);
  assert.equal(starts, 2);
  assert.equal(await child.end(1_000), false);
});

test('one that never served is not brought up again', { timeout: 30_000 }, async () => {
  const gaveUp = Promise.withResolvers<void>();
  const child = childOf('process.exit(3)', { onHopeless: gaveUp.resolve });
  child.start();
  await gaveUp.promise;
  assert.equal(await child.serving(10_000), false);
});
