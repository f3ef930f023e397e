import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OSS from 'ali-oss';
import { signed } from '../signing.ts';
import { packagesOf } from './packages.ts';
import { type FactLine, models, World } from './world.ts';

let world: World;
before(async () => {
  world = await World.open();
});
after(() => world.close());

/** Each handler causes the event that calls it again, in another way. */
const LOOPING = `
const { Readable } = require('node:stream');
// a call of oneself waits for an instance to start, which takes its time on a busy machine
const PATIENT = { readTimeout: 60000, connectTimeout: 60000 };

function client(context) {
  const Fc = require('@alicloud/fc20230330');
  const { accessKeyId, accessKeySecret, securityToken } = context.credentials;
  const keys = process.env.KEY_ID
    ? { accessKeyId: process.env.KEY_ID, accessKeySecret: process.env.KEY_SECRET }
    : { accessKeyId, accessKeySecret, securityToken };
  const endpoint = process.env.TIDEMILL_ENDPOINT.replace('http://', '');
  return new Fc.default({ ...keys, endpoint, protocol: 'http', regionId: 'local', readTimeout: 60000 });
}

async function call(context, type) {
  const Fc = require('@alicloud/fc20230330');
  const name = process.env.FC_FUNCTION_NAME;
  const headers = new Fc.InvokeFunctionHeaders({ commonHeaders: type ? { 'x-fc-invocation-type': type } : {} });
  const request = new Fc.InvokeFunctionRequest({ body: Readable.from([Buffer.from('again')]) });
  const answer = await client(context).invokeFunctionWithOptions(name, request, headers, PATIENT);
  const chunks = [];
  for await (const chunk of answer.body || []) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

exports.sync = async (event, context) => {
  try {
    return 'called ' + (await call(context));
  } catch (error) {
    return 'refused ' + error.code + ' ' + error.statusCode;
  }
};
exports.plain = async () => 'ok';
exports.async = async (event, context) => {
  await call(context, 'Async');
  return 'ok';
};
exports.object = async (event, context) => {
  const OSS = require('ali-oss');
  const [{ oss }] = JSON.parse(event).events;
  const { accessKeyId, accessKeySecret, securityToken } = context.credentials;
  const store = new OSS({
    accessKeyId, accessKeySecret, stsToken: securityToken, bucket: oss.bucket.name,
    endpoint: process.env.TIDEMILL_OBJECTS_ENDPOINT, sldEnable: true, secure: false,
  });
  const { content } = await store.get(oss.object.key);
  const copies = Number(process.env.COPIES);
  for (let n = 0; n < copies; n++) await store.put(oss.object.key + '.' + n, content);
  return 'ok';
};
exports.http = async () => {
  const res = await fetch(process.env.TIDEMILL_ENDPOINT + process.env.OWN_PATH, {
    method: 'POST', body: 'again', headers: { 'x-fc-invocation-type': 'Async' },
  });
  return { statusCode: 200, body: 'passed on ' + res.status };
};
exports.timer = async (event, context) => {
  const Fc = require('@alicloud/fc20230330');
  const name = process.env.FC_FUNCTION_NAME;
  const at = new Date(Date.now() + 1500);
  const cron = [at.getUTCSeconds(), at.getUTCMinutes(), at.getUTCHours(), '*', '*', '*'].join(' ');
  const body = new Fc.UpdateTriggerInput({
    triggerConfig: JSON.stringify({ cronExpression: cron, enable: true, payload: 'again' }),
  });
  await client(context).updateTrigger(name, 'again', new Fc.UpdateTriggerRequest({ body }));
  return 'ok';
};
`;

async function deploy(
  handler: string,
  environmentVariables: Record<string, string> = {},
  rest: ConstructorParameters<typeof models.CreateFunctionInput>[0] = {},
): Promise<string> {
  const options = {
    handler: `index.${handler}`,
    environmentVariables,
    timeout: 120,
    memorySize: 512,
    cpu: 0.35,
    ...rest,
  };
  // the vendor's SDKs as a user would package them; nothing in the function knows of loops
  const sdk =
    handler === 'http' || handler === 'plain'
      ? {}
      : packagesOf(handler === 'object' ? 'ali-oss' : '@alicloud/fc20230330');
  return world.deploy(`loop-${handler}`, { 'index.js': LOOPING, ...sdk }, options);
}

async function trigger(name: string, type: string, config: unknown, sourceArn?: string): Promise<models.Trigger> {
  const body = new models.CreateTriggerInput({
    triggerName: 'again',
    triggerType: type,
    triggerConfig: JSON.stringify(config),
    ...(sourceArn === undefined ? {} : { sourceArn }),
  });
  const { body: created } = await world.client.createTrigger(name, new models.CreateTriggerRequest({ body }));
  assert.ok(created);
  return created;
}

interface Stopped {
  readonly alarm: FactLine & {
    readonly limit: number;
    readonly reason: string;
    readonly lineage: { readonly hops: number; readonly chain: { functionName: string; requestId: string }[] };
  };
  /** Request ids of the runs. */
  readonly runs: string[];
}

/** Follows the log until the alarm is there, the event that it tells of has its end, and every run of the chain has. */
async function stopped(name: string): Promise<Stopped> {
  const runs: string[] = [];
  let alarm: Stopped['alarm'] | undefined;
  let ended = false;
  for await (const fact of world.follow(name)) {
    if (fact.type === 'invocation-settled' && fact['instanceId'] !== '') runs.push(fact.requestId ?? '');
    if (fact.type === 'loop-stopped') alarm = fact as Stopped['alarm'];
    if (fact.type === 'event-ended' && fact['state'] === 'Failed' && fact.requestId === alarm?.requestId) {
      assert.match(String(fact['message']), /probably a loop/);
      ended = true;
    }
    if (alarm !== undefined && ended && alarm.lineage.chain.every(({ requestId }) => runs.includes(requestId))) {
      return { alarm, runs };
    }
  }
  throw new Error('the log ended before the loop was stopped');
}

function assertChain(name: string, { alarm, runs }: Stopped, limit: number): void {
  assert.deepEqual([alarm.reason, alarm.limit, alarm.lineage.hops], ['hops', limit, limit]);
  const { chain } = alarm.lineage;
  assert.deepEqual([...new Set(chain.map(({ functionName }) => functionName))], [name]);
  assert.equal(chain.length, limit);
  assert.deepEqual(runs.toSorted(), chain.map(({ requestId }) => requestId).toSorted());
}

async function operation(method: string, path: string, query: Record<string, string>): Promise<unknown> {
  const { url, headers } = signed(world.platform, { method, path: `/tidemill/v1${path}`, query });
  const res = await fetch(url, { method, headers });
  assert.equal(res.status, 200, await res.clone().text());
  return res.json();
}

interface Letter {
  readonly number: number;
  readonly requestId: string;
  readonly evidence: unknown;
}

async function deadLetters(name: string): Promise<readonly Letter[]> {
  return ((await operation('GET', '/dead-letters', { function: name })) as { letters: Letter[] }).letters;
}

async function bucketFor(name: string): Promise<OSS> {
  const store = new OSS({
    accessKeyId: world.platform.accessKeyId,
    accessKeySecret: world.platform.accessKeySecret,
    endpoint: world.platform.objectsEndpoint,
    bucket: `b-${name}`.slice(0, 60).toLowerCase(),
    secure: false,
    sldEnable: true,
  } as OSS.Options & { sldEnable: boolean });
  const bucket = `b-${name}`.slice(0, 60).toLowerCase();
  await store.putBucket(bucket);
  return store;
}

test('objects: output written into the input folder is stopped after 16 runs; other functions go on', async () => {
  const name = await deploy('object', { COPIES: '1' });
  const store = await bucketFor(name);
  const bucket = `b-${name}`.slice(0, 60).toLowerCase();
  const filter = { key: { prefix: 'in/' } };
  await trigger(name, 'oss', { events: ['oss:ObjectCreated:*'], filter }, `acs:oss:local::${bucket}`);
  await store.put('in/video', Buffer.from('frames'));
  const other = await world.deploy('bystander', { 'index.js': 'exports.handler = async () => "fine";' });
  assert.equal((await world.invoke(other)).text, 'fine');
  assertChain(name, await stopped(name), 16);
  assert.equal((await world.invoke(other)).text, 'fine');
  // the same function is not punished: what comes from outside runs
  await store.put('elsewhere', Buffer.from('x'));
  const [letter] = await deadLetters(name);
  assert.ok(letter);
  assert.equal((letter.evidence as { lineage?: { hops: number } }).lineage?.hops, 16);
  const listed = await store.list({ prefix: 'in/', 'max-keys': 100 }, {});
  assert.equal(listed.objects.length, 17);
  const last = listed.objects.map((object) => object.name).sort((a, b) => b.length - a.length)[0] ?? '';
  const { res } = await store.head(last);
  const headers = res.headers as Record<string, string>;
  assert.match(headers['x-tidemill-written-by'] ?? '', new RegExp(`^${name} 1-\\S+; hops=16$`));
});

test('objects: a loop that makes two objects of one is stopped before it has many branches', async () => {
  const name = await deploy('object', { COPIES: '2', TIDEMILL_MAX_HOPS: '6' });
  const store = await bucketFor(name);
  const bucket = `b-${name}`.slice(0, 60).toLowerCase();
  await trigger(name, 'oss', { events: ['oss:ObjectCreated:PutObject'] }, `acs:oss:local::${bucket}`);
  await store.put('v', Buffer.from('frames'));
  await stopped(name);
});

test('calls: a function that calls itself with the SDK is refused at the limit and may say so', async () => {
  const name = await deploy('sync', { TIDEMILL_MAX_HOPS: '4' });
  const { text } = await world.invoke(name);
  assert.equal(text, 'called called called refused LimitExceededError 400');
  const alarm = await world.waitFor(name, (fact) => fact.type === 'loop-stopped');
  assert.equal(alarm['invocation'], 'sync');
});

test('async calls with the SDK are stopped; the variable of the function sets the limit', async () => {
  const name = await deploy('async', { TIDEMILL_MAX_HOPS: '5' });
  await world.invoke(name, '', { headers: { 'x-fc-invocation-type': 'Async' } });
  assertChain(name, await stopped(name), 5);
});

test('anonymous URLs: a web hook to ourselves is stopped, though nothing is signed', async () => {
  const name = await deploy('http', { TIDEMILL_MAX_HOPS: '5', OWN_PATH: '' });
  const created = await trigger(name, 'http', { authType: 'anonymous', methods: ['POST'] });
  const url = created.httpTrigger?.urlInternet ?? '';
  const body = new models.UpdateFunctionInput({
    environmentVariables: { TIDEMILL_MAX_HOPS: '5', OWN_PATH: new URL(url).pathname },
  });
  await world.client.updateFunction(name, new models.UpdateFunctionRequest({ body }));
  assert.equal(await (await fetch(url, { method: 'POST', body: 'first' })).text(), 'passed on 202');
  assertChain(name, await stopped(name), 5);
});

test("timers: a trigger that a function sets keeps its writer's lineage", async () => {
  const { accessKeyId, accessKeySecret } = world.platform;
  const name = await deploy('timer', { TIDEMILL_MAX_HOPS: '3', KEY_ID: accessKeyId, KEY_SECRET: accessKeySecret });
  await trigger(name, 'timer', { cronExpression: '0 0 0 1 1 *', enable: true, payload: 'first' });
  await world.invoke(name);
  assertChain(name, await stopped(name), 3);
});

test('destinations: a function that is the destination of its own results is stopped, and the event is a dead letter', async () => {
  const name = await deploy('plain', { TIDEMILL_MAX_HOPS: '5' });
  const body = new models.PutAsyncInvokeConfigInput({
    destinationConfig: new models.DestinationConfig({
      onSuccess: new models.Destination({ destination: `acs:fc:local::functions/${name}` }),
    }),
  });
  await world.client.putAsyncInvokeConfig(name, new models.PutAsyncInvokeConfigRequest({ body }));
  await world.invoke(name, 'first', { headers: { 'x-fc-invocation-type': 'Async' } });
  const loop = await stopped(name);
  assertChain(name, loop, 5);
  const [letter, ...others] = await deadLetters(name);
  assert.deepEqual(others, []);
  assert.ok(letter);
  assert.equal(letter.requestId, loop.alarm.requestId);
  assert.deepEqual(letter.evidence, { code: 'LimitExceededError', lineage: loop.alarm.lineage });
  // whoever redrives it has looked at it: the chain begins anew, and ends again
  assert.deepEqual(await operation('POST', '/dead-letters/redrive', { number: String(letter.number) }), {
    redriven: 1,
  });
  const again = await world.waitFor(
    name,
    (fact) => fact.type === 'loop-stopped' && fact.requestId !== loop.alarm.requestId,
  );
  assert.equal((again['lineage'] as typeof loop.alarm.lineage).chain.length, 5);
});

test('no limit: a function that says so goes on', async () => {
  const name = await deploy('async', { TIDEMILL_MAX_HOPS: 'unlimited' });
  await world.invoke(name, '', { headers: { 'x-fc-invocation-type': 'Async' } });
  let runs = 0;
  for await (const fact of world.follow(name)) {
    assert.notEqual(fact.type, 'loop-stopped');
    if (fact.type === 'invocation-settled' && ++runs === 20) break;
  }
  await world.client.deleteFunction(name);
});

test('a limit that is none is refused by name', async () => {
  await assert.rejects(deploy('async', { TIDEMILL_MAX_HOPS: 'off' }), /TIDEMILL_MAX_HOPS/);
});
