import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OSS from 'ali-oss';
import { triggerSigned } from '../signing.ts';
import { ECHO, failsWith, models, World } from './world.ts';

let world: World;
before(async () => {
  world = await World.open();
});
after(() => world.close());

async function trigger(
  name: string,
  input: { type: string; config: unknown; name?: string; sourceArn?: string; qualifier?: string },
): Promise<models.Trigger> {
  const body = new models.CreateTriggerInput({
    triggerName: input.name ?? 'trigger',
    triggerType: input.type,
    triggerConfig: JSON.stringify(input.config),
    ...(input.sourceArn === undefined ? {} : { sourceArn: input.sourceArn }),
    ...(input.qualifier === undefined ? {} : { qualifier: input.qualifier }),
  });
  const { body: created } = await world.client.createTrigger(name, new models.CreateTriggerRequest({ body }));
  assert.ok(created);
  return created;
}

const HTTP_CODE = {
  'index.js': `exports.handler = async (raw) => {
  const event = JSON.parse(raw);
  if (event.rawPath === '/fail') throw new Error('secret detail');
  if (event.rawPath === '/text') return 'plain';
  return { statusCode: 201, headers: { 'Content-Type': 'application/json', 'x-own': 'yes', 'x-fc-own': 'no' }, body: event };
};`,
};

test('life of a trigger', async () => {
  const name = await world.deploy('trigger-crud', ECHO);
  const config = { cronExpression: '0 0 4 * * *', enable: true, payload: 'p' };
  const created = await trigger(name, { type: 'timer', config, name: 'nightly' });
  assert.deepEqual(JSON.parse(created.triggerConfig ?? ''), config);
  assert.match(created.triggerId ?? '', /^[0-9a-f-]{36}$/);
  await assert.rejects(
    trigger(name, { type: 'timer', config, name: 'nightly' }),
    failsWith('TriggerAlreadyExists', 409),
  );
  const body = new models.UpdateTriggerInput({
    description: 'new',
    triggerConfig: JSON.stringify({ ...config, enable: false }),
  });
  const updated = await world.client.updateTrigger(name, 'nightly', new models.UpdateTriggerRequest({ body }));
  assert.equal(updated.body?.description, 'new');
  const listed = await world.client.listTriggers(name, new models.ListTriggersRequest({}));
  assert.deepEqual(
    listed.body?.triggers?.map((each) => each.triggerName),
    ['nightly'],
  );
  await world.client.deleteTrigger(name, 'nightly');
  await assert.rejects(world.client.getTrigger(name, 'nightly'), failsWith('TriggerNotFound', 404));
  await assert.rejects(trigger(name, { type: 'log', config: {} }), failsWith('NotSupported', 400, /log/));
  await assert.rejects(
    trigger(name, { type: 'timer', config: { cronExpression: 'never', enable: true } }),
    failsWith('InvalidArgument', 400, /cron/i),
  );
});

test('http, anonymous: event in, answer out', async () => {
  const name = await world.deploy('http', HTTP_CODE);
  const created = await trigger(name, { type: 'http', config: { authType: 'anonymous', methods: ['GET', 'POST'] } });
  const url = created.httpTrigger?.urlInternet?.replace(/\/$/, '') ?? '';
  const res = await fetch(`${url}/a%20b?k=1&k=2`, {
    method: 'POST',
    headers: { 'content-type': 'text/plain', 'x-multi': 'm' },
    body: 'héllo',
  });
  assert.equal(res.status, 201);
  assert.deepEqual([res.headers.get('x-own'), res.headers.get('x-fc-own')], ['yes', null]);
  assert.equal(res.headers.get('content-disposition'), 'attachment');
  assert.ok(res.headers.get('x-fc-request-id'));
  const event = (await res.json()) as Record<string, unknown> & {
    requestContext: { http: Record<string, string>; requestId: string };
  };
  assert.deepEqual(
    [event['version'], event['rawPath'], event['body'], event['isBase64Encoded']],
    ['v1', '/a%20b', 'héllo', false],
  );
  assert.deepEqual(event['queryParameters'], { k: '1,2' });
  assert.deepEqual([event.requestContext.http['method'], event.requestContext.http['path']], ['POST', '/a b']);
  assert.equal(event.requestContext.requestId, res.headers.get('x-fc-request-id'));
  const text = await fetch(`${url}/text`);
  assert.deepEqual(
    [text.status, text.headers.get('content-type'), await text.text()],
    [200, 'application/json', 'plain'],
  );
  const failed = await fetch(`${url}/fail`);
  assert.deepEqual([failed.status, await failed.text()], [502, 'Internal Server Error']);
  assert.equal((await fetch(url, { method: 'DELETE' })).status, 403);
  await assert.rejects(
    trigger(name, { type: 'http', config: { authType: 'anonymous', methods: ['GET'] }, name: 'second' }),
    failsWith('LimitExceededError', 400),
  );
  await world.client.deleteTrigger(name, 'trigger');
  assert.equal((await fetch(url)).status, 404);
});

test('http, signed', async () => {
  const name = await world.deploy('http-signed', HTTP_CODE);
  const created = await trigger(name, { type: 'http', config: { authType: 'function', methods: ['GET'] } });
  const url = `${created.httpTrigger?.urlInternet?.replace(/\/$/, '')}/text?a=1`;
  assert.equal((await fetch(url, { headers: triggerSigned(world.platform, 'GET', url) })).status, 200);
  const unsigned = (await fetch(url)).status;
  assert.ok(unsigned >= 400 && unsigned <= 403, String(unsigned));
  const headers = triggerSigned({ ...world.platform, accessKeySecret: 'wrong' }, 'GET', url);
  assert.equal((await fetch(url, { headers })).status, 403);
});

test('oss: an upload reaches the function once, filtered by prefix and suffix', async () => {
  const { platform } = world;
  const bucket = `events-${process.pid}-${Date.now().toString(36)}`;
  const oss = new OSS({
    endpoint: platform.objectsEndpoint,
    accessKeyId: platform.accessKeyId,
    accessKeySecret: platform.accessKeySecret,
    bucket,
    secure: false,
  });
  await oss.putBucket(bucket);
  const name = await world.deploy('oss', {
    'index.js': 'exports.handler = async (e) => { console.log("event " + e); };',
  });
  const arn = (await world.client.getFunction(name, new models.GetFunctionRequest({}))).body?.functionArn ?? '';
  const [, , region, account] = arn.split(':');
  await trigger(name, {
    type: 'oss',
    sourceArn: `acs:oss:${region}:${account}:${bucket}`,
    config: { events: ['oss:ObjectCreated:*'], filter: { key: { prefix: 'in/', suffix: '.txt' } } },
  });
  await oss.put('out/a.txt', Buffer.from('no'));
  await oss.put('in/a.bin', Buffer.from('no'));
  await oss.put('in/a.txt', Buffer.from('yes'));
  const [, json] = await world.waitForOutput(name, /event (\{.*\})/);
  const { events } = JSON.parse(json ?? '') as {
    events: {
      eventName: string;
      eventSource: string;
      oss: { bucket: { name: string }; object: { key: string; size: number } };
    }[];
  };
  assert.equal(events.length, 1);
  assert.deepEqual([events[0]?.eventName, events[0]?.eventSource], ['ObjectCreated:PutObject', 'acs:oss']);
  assert.deepEqual(
    [events[0]?.oss.bucket.name, events[0]?.oss.object.key, events[0]?.oss.object.size],
    [bucket, 'in/a.txt', 3],
  );
  await oss.put('in/last.txt', Buffer.from('end'));
  const keys: string[] = [];
  await world.waitFor(name, (fact) => {
    const key = fact.type === 'output-written' ? /"key":"([^"]+)"/.exec(fact.text ?? '')?.[1] : undefined;
    if (key !== undefined) keys.push(key);
    return key === 'in/last.txt';
  });
  assert.deepEqual(keys, ['in/a.txt', 'in/last.txt']);
  for (const key of ['out/a.txt', 'in/a.bin', 'in/a.txt', 'in/last.txt']) await oss.delete(key);
  await oss.deleteBucket(bucket);
});

test('timer: fires on its second with the documented event', async () => {
  const name = await world.deploy('timer', {
    'index.js': 'exports.handler = async (e) => { console.log("tick " + e); };',
  });
  const second = (new Date().getUTCSeconds() + 4) % 60;
  await trigger(name, {
    type: 'timer',
    name: 'tick',
    config: { cronExpression: `${second} * * * * *`, enable: true, payload: 'load' },
  });
  const [, json] = await world.waitForOutput(name, /tick (\{.*\})/);
  const event = JSON.parse(json ?? '') as Record<string, string>;
  assert.deepEqual([event['triggerName'], event['payload']], ['tick', 'load']);
  assert.match(event['triggerTime'] ?? '', new RegExp(`:${String(second).padStart(2, '0')}Z$`));
});
