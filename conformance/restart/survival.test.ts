import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { models, zip } from '../fc/world.ts';
import { Installation } from './installation.ts';
import { obedient, User } from './user.ts';

let house: Installation;
let user: User;
before(async () => {
  house = await Installation.serving();
  user = new User(() => house.platform);
});
after(() => house.close());

const request = <T extends object>(body: T): { body: T } => ({ body });

/** One of each thing that an installation holds. */
async function furnish(): Promise<void> {
  const { client, objects } = user;
  await user.deploy('kept', obedient('tm-kept'), { description: 'first', environmentVariables: { MODE: 'one' } });
  await client.publishFunctionVersion(
    'kept',
    new models.PublishFunctionVersionRequest(request(new models.PublishVersionInput({}))),
  );
  const change = new models.UpdateFunctionInput({ description: 'second' });
  await client.updateFunction('kept', new models.UpdateFunctionRequest(request(change)));
  await client.publishFunctionVersion(
    'kept',
    new models.PublishFunctionVersionRequest(request(new models.PublishVersionInput({}))),
  );
  const alias = new models.CreateAliasInput({ aliasName: 'live', versionId: '1', additionalVersionWeight: { 2: 0.5 } });
  await client.createAlias('kept', new models.CreateAliasRequest(request(alias)));
  await objects.putBucket('shelf');
  objects.useBucket('shelf');
  await objects.put('in/one.bin', Buffer.alloc(300_000, 'x'), { meta: { who: 'me' } as never });
  for (const trigger of [
    { triggerName: 'web', triggerType: 'http', triggerConfig: { authType: 'anonymous', methods: ['GET'] } },
    { triggerName: 'clock', triggerType: 'timer', triggerConfig: { cronExpression: '0 0 4 * * *', enable: true } },
    {
      triggerName: 'upload',
      triggerType: 'oss',
      sourceArn: 'acs:oss:local::shelf',
      triggerConfig: { events: ['oss:ObjectCreated:*'], filter: { key: { prefix: 'never/', suffix: '' } } },
    },
  ]) {
    const input = new models.CreateTriggerInput({ ...trigger, triggerConfig: JSON.stringify(trigger.triggerConfig) });
    await client.createTrigger('kept', new models.CreateTriggerRequest(request(input)));
  }
  const code = new models.InputCodeLocation({
    zipFile: (await zip({ 'shared.txt': 'of the layer' })).toString('base64'),
  });
  const layer = new models.CreateLayerVersionInput({ code, compatibleRuntime: ['nodejs20'] });
  await client.createLayerVersion('tools', new models.CreateLayerVersionRequest(request(layer)));
  const retries = new models.PutAsyncInvokeConfigInput({ maxAsyncRetryAttempts: 1, maxAsyncEventAgeInSeconds: 600 });
  await client.putAsyncInvokeConfig('kept', new models.PutAsyncInvokeConfigRequest(request(retries)));
  const limit = new models.PutConcurrencyInput({ reservedConcurrency: 7 });
  await client.putConcurrencyConfig('kept', new models.PutConcurrencyConfigRequest(request(limit)));
}

/** Everything that can be asked, as it is answered. */
async function inventory(): Promise<Record<string, unknown>> {
  const { client, objects } = user;
  objects.useBucket('shelf');
  const { content, res } = await objects.get('in/one.bin');
  const [fn, versions, aliases, triggers, layer, retries, limit] = await Promise.all([
    client.getFunction('kept', new models.GetFunctionRequest({})),
    client.listFunctionVersions('kept', new models.ListFunctionVersionsRequest({})),
    client.listAliases('kept', new models.ListAliasesRequest({})),
    client.listTriggers('kept', new models.ListTriggersRequest({})),
    client.getLayerVersion('tools', '1'),
    client.getAsyncInvokeConfig('kept', new models.GetAsyncInvokeConfigRequest({})),
    client.getConcurrencyConfig('kept'),
  ]);
  // Where code is fetched is signed anew each time, and instances come and go.
  const { code: _link, ...layerVersion } = JSON.parse(JSON.stringify(layer.body ?? {})) as Record<string, unknown>;
  const headers = res.headers as Record<string, string>;
  return {
    function: fn.body?.toMap(),
    versions: versions.body?.toMap(),
    aliases: aliases.body?.toMap(),
    triggers: triggers.body?.toMap(),
    layer: layerVersion,
    retries: retries.body?.toMap(),
    limit: limit.body?.toMap(),
    object: [content.length, headers['etag'], headers['x-oss-meta-who']],
  };
}

/** Hands over events, some for later, all accepted when this resolves. */
async function sendAll(prefix: string, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
  const answers = await Promise.all(
    ids.map((id, i) => user.send('kept', id, { id, ms: 100 }, i % 5 === 0 ? 3 : undefined)),
  );
  assert.deepEqual([...new Set(answers.map((each) => each.status))], [202]);
  return ids;
}

async function checkEnds(ids: readonly string[]): Promise<void> {
  const ends = await user.ends('kept', ids);
  for (const [id, facts] of ends) assert.deepEqual([id, facts.length, facts[0]?.['state']], [id, 1, 'Succeeded']);
}

let stock: Record<string, unknown>;
let events: string[] = [];

test('SIGTERM and start: everything is there, accepted events run', async () => {
  await furnish();
  stock = await inventory();
  events = await sendAll('term', 15);
  assert.equal((await house.end('SIGTERM')).code, 0);
  await house.start();
  assert.deepEqual(await inventory(), stock);
  await checkEnds(events);
});

test('everything killed at once and started: the same', async () => {
  events.push(...(await sendAll('kill', 25)));
  await house.killAll();
  await house.start();
  assert.deepEqual(await inventory(), stock);
  await checkEnds(events);
  const answer = await user.call('kept', { id: 'now' });
  assert.deepEqual([answer.status, answer.errorType], [200, ''], answer.message);
});
