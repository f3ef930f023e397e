import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { failsWith, models, World } from './world.ts';

let world: World;
let name: string;
before(async () => {
  world = await World.open();
  const code = `
    const runs = new Map();
    exports.handler = async (event, context) => {
      const input = JSON.parse(event.toString());
      if (input.sleep) await new Promise((resolve) => setTimeout(resolve, input.sleep));
      if (input.fail > context.retryCount) throw new Error('not yet');
      return 'result of ' + input.id;
    };
    exports.preStop = async () => {};
  `;
  name = await world.deploy(
    'tasks',
    { 'index.js': code },
    {
      timeout: 120,
      instanceLifecycleConfig: new models.InstanceLifecycleConfig({
        preStop: new models.LifecycleHook({ handler: 'index.preStop', timeout: 5 }),
      }),
    },
  );
  const body = new models.PutAsyncInvokeConfigInput({ asyncTask: true, maxAsyncRetryAttempts: 2 });
  const put = await world.client.putAsyncInvokeConfig(name, new models.PutAsyncInvokeConfigRequest({ body }));
  assert.equal(put.body?.asyncTask, true);
});
after(() => world.close());

async function submit(id: string, input: object, headers: Record<string, string> = {}): Promise<void> {
  const answer = await world.invoke(name, JSON.stringify({ id, ...input }), {
    headers: { 'x-fc-invocation-type': 'Async', 'x-fc-async-task-id': id, ...headers },
  });
  assert.equal(answer.status, 202);
  assert.equal(answer.headers['x-fc-async-task-id'], id);
}

async function get(id: string): Promise<models.AsyncTask> {
  const { body } = await world.client.getAsyncTask(name, id, new models.GetAsyncTaskRequest({}));
  assert.ok(body);
  return body;
}

/** Asks until the task is in one of the states. */
async function until(id: string, ...states: string[]): Promise<models.AsyncTask> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; ) {
    const task = await get(id);
    if (states.includes(task.status ?? '')) return task;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`task ${id} is ${(await get(id)).status}, not ${states.join(' or ')}`);
}

const list = async (query: ConstructorParameters<typeof models.ListAsyncTasksRequest>[0]) =>
  (await world.client.listAsyncTasks(name, new models.ListAsyncTasksRequest(query))).body;
const ids = async (query: ConstructorParameters<typeof models.ListAsyncTasksRequest>[0]) =>
  ((await list(query))?.tasks ?? []).map((task) => task.taskId);

test('a task from its acceptance to its result', async () => {
  const before = Date.now();
  await submit('plain', {});
  const task = await until('plain', 'Succeeded');
  assert.equal(task.taskPayload, '{"id":"plain"}');
  assert.equal(task.returnPayload, 'result of plain');
  assert.match(task.functionArn ?? '', new RegExp(`:functions/${name}$`));
  assert.equal(task.qualifier, 'LATEST');
  assert.match(task.instanceId ?? '', /^c-/);
  assert.ok((task.startedTime ?? 0) >= before && (task.endTime ?? 0) >= (task.startedTime ?? 0));
  assert.ok((task.durationMs ?? -1) >= 0);
  assert.equal(task.alreadyRetriedTimes, 0);
  assert.deepEqual(
    task.events?.map((event) => event.status),
    ['Enqueued', 'Dequeued', 'Running', 'Succeeded'],
  );
  assert.deepEqual(
    task.events?.map((event) => event.eventId),
    [1, 2, 3, 4],
  );
  await assert.rejects(submit('plain', {}), failsWith('AsyncTaskAlreadyExists', 409));
  await assert.rejects(get('nobody'), failsWith('AsyncTaskNotFound', 404));
});

test('retries show in state, count and timeline', async () => {
  await submit('flaky', { fail: 1 });
  const task = await until('flaky', 'Succeeded', 'Failed');
  assert.deepEqual([task.status, task.alreadyRetriedTimes], ['Succeeded', 1]);
  assert.ok(task.events?.some((event) => event.status === 'Retrying' && /not yet/.test(event.eventDetail ?? '')));
  await submit('hopeless', { fail: 9 });
  const failed = await until('hopeless', 'Failed');
  assert.equal(failed.alreadyRetriedTimes, 2);
  assert.match(failed.taskErrorMessage ?? '', /not yet/);
  assert.match(failed.returnPayload ?? '', /errorMessage/);
});

test('a running task is stopped with its pre-stop hook and does not run again; a waiting one at once', async () => {
  await submit('long', { sleep: 100_000 });
  await until('long', 'Running');
  const stop = (id: string) => world.client.stopAsyncTask(name, id, new models.StopAsyncTaskRequest({}));
  const { statusCode } = await stop('long');
  assert.equal(statusCode, 204);
  const task = await until('long', 'Stopped');
  assert.deepEqual(
    task.events?.map((event) => event.status).filter((status) => status !== 'Stopping'),
    ['Enqueued', 'Dequeued', 'Running', 'Stopped'],
  );
  await world.waitForOutput(name, /FC PreStop End RequestId: /);
  await submit('later', {}, { 'x-fc-async-delay': '600' });
  await stop('later');
  assert.equal((await get('later')).status, 'Stopped');
  await stop('later');
  await assert.rejects(stop('nobody'), failsWith('AsyncTaskNotFound', 404));
});

test('lists by every filter, page by page', async () => {
  const from = Date.now();
  for (const id of ['list-a', 'list-b', 'list-c']) await submit(id, {}, { 'x-fc-async-delay': '900' });
  assert.deepEqual(await ids({ prefix: 'list-' }), ['list-c', 'list-b', 'list-a']);
  assert.deepEqual(await ids({ prefix: 'list-', sortOrderByTime: 'asc' }), ['list-a', 'list-b', 'list-c']);
  assert.deepEqual(await ids({ status: 'Enqueued', startedTimeBegin: from, sortOrderByTime: 'asc' }), [
    'list-a',
    'list-b',
    'list-c',
  ]);
  assert.deepEqual(await ids({ prefix: 'list-', startedTimeEnd: from - 1 }), []);
  assert.deepEqual(await ids({ prefix: 'list-', qualifier: 'prod' }), []);
  const first = await list({ prefix: 'list-', limit: 2, includePayload: true });
  assert.deepEqual(
    first?.tasks?.map((task) => task.taskPayload),
    ['{"id":"list-c"}', '{"id":"list-b"}'],
  );
  assert.ok(first?.nextToken);
  const second = await list({ prefix: 'list-', limit: 2, nextToken: first.nextToken });
  assert.deepEqual(
    second?.tasks?.map((task) => [task.taskId, task.taskPayload]),
    [['list-a', undefined]],
  );
  assert.equal(second?.nextToken ?? '', '');
  await assert.rejects(list({ limit: 101 }), failsWith('InvalidArgument', 400, /limit/));
  for (const id of ['list-a', 'list-b', 'list-c']) {
    await world.client.stopAsyncTask(name, id, new models.StopAsyncTaskRequest({}));
  }
});
