import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AsyncInvokeConfigRecord } from '../../../src/core/domain/function.ts';
import type { InstanceAnswer } from '../../../src/core/ports/instance-link.ts';
import { ACCOUNT } from '../scheduler/world.ts';
import { DispatchWorld } from './dispatch-world.ts';

const OK: InstanceAnswer = { errorType: undefined, payload: Buffer.from('done') };

async function withTasks(more: Partial<AsyncInvokeConfigRecord> = {}): Promise<DispatchWorld> {
  const world = await DispatchWorld.open();
  world.destinations.account = ACCOUNT;
  world.catalog.put('f', { timeout: 600 });
  world.catalog.asyncConfigs.set('f/LATEST', {
    account: ACCOUNT,
    functionName: 'f',
    qualifier: 'LATEST',
    maxAsyncRetryAttempts: 2,
    maxAsyncEventAgeInSeconds: 3_600,
    asyncTask: true,
    createdTime: 0,
    lastModifiedTime: 0,
    ...more,
  });
  return world;
}

function submit(world: DispatchWorld, taskId: string, delaySeconds?: number) {
  return world.dispatch.invokeAsync({
    requestId: `r-${taskId}`,
    account: ACCOUNT,
    functionName: 'f',
    qualifier: undefined,
    payload: Buffer.from(`for ${taskId}`),
    taskId,
    ...(delaySeconds === undefined ? {} : { delaySeconds }),
    lineage: { hops: 0, rootRequestId: `r-${taskId}` },
  });
}

const taskOf = async (world: DispatchWorld, taskId: string) =>
  (await world.dispatch.tasks.get(ACCOUNT, 'f', undefined, taskId)).task;
const timeline = async (world: DispatchWorld, taskId: string) =>
  (await taskOf(world, taskId)).steps.map(({ status }) => status).join(' ');

test('a task shows every state, its result, and how its delivery went', async () => {
  const world = await withTasks({ onSuccess: 'https://a.example/' });
  let runs = 0;
  world.answer = async () => {
    runs++;
    return runs === 1 ? { errorType: 'HandledInvocationError', payload: Buffer.from('{"errorMessage":"again"}') } : OK;
  };
  await submit(world, 'one');
  await world.clock.advance(10_000);
  const stored = await world.dispatch.tasks.get(ACCOUNT, 'f', 'LATEST', 'one');
  assert.equal(await timeline(world, 'one'), 'Enqueued Dequeued Running Retrying Dequeued Running Succeeded');
  assert.deepEqual(
    [Buffer.from(stored.payload ?? []).toString(), Buffer.from(stored.result ?? []).toString()],
    ['for one', 'done'],
  );
  const { task } = stored;
  assert.deepEqual([task.retries, task.status, task.destinationStatus], [1, 'Succeeded', 'Succeeded']);
  assert.notEqual(task.instanceId, '');
  await assert.rejects(world.dispatch.tasks.get(ACCOUNT, 'f', 'prod', 'one'), { code: 'AsyncTaskNotFound' });
  await assert.rejects(world.dispatch.tasks.get(ACCOUNT, 'g', undefined, 'one'), { code: 'FunctionNotFound' });
  await assert.rejects(submit(world, 'one'), { code: 'AsyncTaskAlreadyExists' });
  await world.close();
});

test('a running task is aborted, its instance ends in order, and nothing is tried again', async () => {
  const world = await withTasks({ onFailure: 'https://a.example/' });
  world.answer = () => world.later(300_000, OK);
  await submit(world, 'long');
  await world.clock.advance(20_000);
  assert.equal((await taskOf(world, 'long')).status, 'Running');
  await world.dispatch.tasks.stop(ACCOUNT, 'f', undefined, 'long');
  await world.clock.advance(5_000);
  assert.equal(await timeline(world, 'long'), 'Enqueued Dequeued Running Stopping Stopped');
  assert.deepEqual([world.pool.stops.length, world.pool.kills.length], [1, 0]);
  await world.dispatch.tasks.stop(ACCOUNT, 'f', undefined, 'long');
  await world.clock.advance(60_000);
  assert.equal(world.facts.of('invocation-settled').length, 1);
  assert.deepEqual(
    world.facts.of('event-ended').map(({ state }) => state),
    ['Stopped'],
  );
  assert.deepEqual(await world.dispatch.letters.list({ account: ACCOUNT, limit: 9 }), []);
  assert.deepEqual(world.destinations.posts, []);
  await world.close();
});

test('a waiting task is stopped at once, one that waits for room too', async () => {
  const world = await withTasks();
  world.catalog.patch('f', { reservedConcurrency: 1 });
  world.answer = () => world.later(60_000, OK);
  for (const taskId of ['first', 'second', 'third']) await submit(world, taskId);
  await submit(world, 'late', 100);
  await world.clock.advance(5_000);
  for (const taskId of ['second', 'third', 'late']) {
    await world.dispatch.tasks.stop(ACCOUNT, 'f', undefined, taskId);
    await world.clock.advance(100);
    assert.equal((await taskOf(world, taskId)).status, 'Stopped', taskId);
  }
  assert.equal((await taskOf(world, 'first')).status, 'Running');
  await world.clock.advance(120_000);
  assert.equal((await taskOf(world, 'first')).status, 'Succeeded');
  assert.equal(world.facts.of('invocation-settled').length, 1);
  await world.close();
});

test('a task whose server died while it was being stopped does not run again', async () => {
  const world = await DispatchWorld.open({ started: false });
  world.catalog.put('f');
  const identity = { account: ACCOUNT, functionName: 'f', qualifier: 'LATEST', taskId: 't', requestId: 'r' };
  const headers = { ...identity, lineage: { hops: 0, rootRequestId: 'r' }, task: true };
  const key = `${ACCOUNT}/f`;
  await world.queue.enqueue([{ id: 'x', key, dueAt: 0, headers, payload: Buffer.from(''), task: identity }]);
  await world.queue.lease({ max: 1, leaseMs: 30_000, now: world.clock.now() });
  await world.dispatch.tasks.stop(ACCOUNT, 'f', undefined, 't');
  await world.dispatch.start();
  await world.clock.advance(1_000);
  assert.equal(await timeline(world, 't'), 'Enqueued Dequeued Stopping Stopped');
  assert.equal(world.facts.of('invocation-settled').length, 0);
  await world.close();
});

test('lists are filtered and paged, and what is wrong in a query is named', async () => {
  const world = await withTasks();
  for (const taskId of ['a1', 'a2', 'b1']) await submit(world, taskId, 50);
  const { tasks } = world.dispatch;
  const ids = async (query: Parameters<typeof tasks.list>[2]) =>
    (await tasks.list(ACCOUNT, 'f', query)).items.map(({ task }) => task.taskId);
  assert.deepEqual(await ids({}), ['b1', 'a2', 'a1']);
  assert.deepEqual(await ids({ sortOrderByTime: 'asc', prefix: 'a' }), ['a1', 'a2']);
  assert.deepEqual(await ids({ status: 'Running' }), []);
  const first = await tasks.list(ACCOUNT, 'f', { limit: '2', includePayload: 'true' });
  assert.equal(Buffer.from(first.items[0]?.payload ?? []).toString(), 'for b1');
  const second = await tasks.list(ACCOUNT, 'f', { limit: '2', nextToken: first.nextToken });
  assert.deepEqual(
    second.items.map(({ task }) => task.taskId),
    ['a1'],
  );
  assert.equal(second.nextToken, undefined);
  for (const query of [
    { limit: '0' },
    { limit: '101' },
    { limit: 'x' },
    { status: 'Sleeping' },
    { sortOrderByTime: 'up' },
    { includePayload: 'maybe' },
    { startedTimeBegin: 'now' },
    { nextToken: '!' },
  ]) {
    await assert.rejects(tasks.list(ACCOUNT, 'f', query), { code: 'InvalidArgument' }, JSON.stringify(query));
  }
  await assert.rejects(tasks.list(ACCOUNT, 'g', {}), { code: 'FunctionNotFound' });
  await world.close();
});
