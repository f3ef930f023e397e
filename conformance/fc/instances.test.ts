import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { models, World } from './world.ts';

let world: World;
before(async () => {
  world = await World.open();
});
after(() => world.close());

const CODE = {
  'index.js': 'exports.handler = async (e) => { if (e.toString() === "die") process.exit(1); return e; };',
};

test('instances by id, status and time, also those that have ended', async () => {
  const name = await world.deploy('instances', CODE);
  const list = async (query: ConstructorParameters<typeof models.ListInstancesRequest>[0]) =>
    (await world.client.listInstances(name, new models.ListInstancesRequest(query))).body?.instances ?? [];
  const begin = Date.now();
  const first = (await world.invoke(name, 'x')).headers['x-fc-instance-id'] ?? '';
  const [running] = await list({});
  assert.deepEqual([running?.instanceId, running?.status, running?.versionId], [first, 'Running', '0']);
  assert.ok((running?.createdTimeMs ?? 0) >= begin - 60_000 && running?.destroyedTimeMs === 0);
  await world.invoke(name, 'die');
  await world.waitFor(name, (fact) => fact.type === 'instance-gone' && fact['instanceId'] === first);
  assert.deepEqual(await list({}), [], 'what has ended is only listed when it is asked for');
  const [gone] = await list({ instanceIds: [first] });
  assert.equal(gone?.instanceId, first);
  // the connection may break before the end of the process is seen: then it was the platform that ended it
  assert.ok(gone?.status === 'Error' || gone?.status === 'Destroyed', gone?.status);
  assert.ok((gone?.destroyedTimeMs ?? 0) >= (gone?.createdTimeMs ?? Number.POSITIVE_INFINITY));
  assert.deepEqual(
    (await list({ instanceStatus: ['Error', 'Destroyed'] })).map((each) => each.instanceId),
    [first],
  );
  assert.deepEqual(
    (await list({ startTimeMs: begin, endTimeMs: Date.now() })).map((each) => each.instanceId),
    [first],
  );
  assert.deepEqual(await list({ startTimeMs: (gone?.destroyedTimeMs ?? 0) + 1, endTimeMs: Date.now() + 1 }), []);
});
