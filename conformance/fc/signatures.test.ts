import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type SignedRequest, signed } from '../signing.ts';
import { clientOf, ECHO, failsWith, models, World } from './world.ts';

let world: World;
before(async () => {
  world = await World.open();
});
after(() => world.close());

const PATH = '/2023-03-30/functions';

async function send({ url, headers }: { url: string; headers: Record<string, string> }, method = 'GET', body?: string) {
  const { host: _host, ...rest } = headers;
  const res = await fetch(url, { method, headers: rest, ...(body === undefined ? {} : { body }) });
  assert.ok(res.headers.get('x-fc-request-id'));
  assert.match(res.headers.get('content-type') ?? '', /^application\/json/);
  const answer = (await res.json()) as { Code?: string; Message?: string; RequestId?: string };
  return { status: res.status, ...answer };
}

const list = (rest: Partial<SignedRequest> = {}) => signed(world.platform, { method: 'GET', path: PATH, ...rest });
const at = (minutes: number): string => `${new Date(Date.now() + minutes * 60_000).toISOString().slice(0, 19)}Z`;

test('wrong secret, unknown key', async () => {
  const list1 = new models.ListFunctionsRequest({});
  const wrong = clientOf(world.platform, { accessKeySecret: 'not-the-secret' });
  await assert.rejects(wrong.listFunctions(list1), failsWith('SignatureNotMatch', 403));
  const unknown = clientOf(world.platform, { accessKeyId: 'NOBODY' });
  await assert.rejects(unknown.listFunctions(list1), failsWith('InvalidAccessKeyID', 403, /'NOBODY'/));
  const forged = clientOf(world.platform, { securityToken: 'forged' });
  await assert.rejects(forged.listFunctions(list1), failsWith('InvalidAccessKeyID', 403));
});

test('a skewed clock is refused, a slightly skewed one is not', async () => {
  for (const minutes of [-16, 16]) {
    const { status, Code, Message } = await send(list({ date: at(minutes) }));
    assert.deepEqual([status, Code], [403, 'AccessDenied']);
    assert.match(Message ?? '', /too large/);
  }
  for (const minutes of [-13, 13]) assert.equal((await send(list({ date: at(minutes) }))).status, 200);
});

test('a replayed nonce is refused', async () => {
  const once = list();
  assert.equal((await send(once)).status, 200);
  const again = await send(once);
  assert.deepEqual([again.status, again.Code], [403, 'AccessDenied']);
  // Another request with nonce and date of the first: a replay is told by both, since both are signed.
  const { 'x-acs-signature-nonce': nonce = '', 'x-acs-date': date = '' } = once.headers;
  assert.equal((await send(list({ nonce, date, query: { limit: '5' } }))).status, 403);
});

test('a changed body, query or path is refused', async () => {
  const create = signed(world.platform, { method: 'POST', path: PATH, body: '{"functionName":"a"}' });
  assert.equal((await send(create, 'POST', '{"functionName":"b"}')).Code, 'SignatureNotMatch');
  const { url, headers } = list({ query: { limit: '5' } });
  assert.equal((await send({ url: url.replace('limit=5', 'limit=6'), headers })).Code, 'SignatureNotMatch');
  const moved = list();
  assert.equal((await send({ url: `${moved.url}/other`, headers: moved.headers })).Code, 'SignatureNotMatch');
});

test('no signature, no date', async () => {
  const { url, headers } = list();
  const { authorization: _authorization, ...unsigned } = headers;
  assert.equal((await send({ url, headers: unsigned })).status, 403);
  const { 'x-acs-date': _date, ...undated } = headers;
  assert.deepEqual((await send({ url, headers: undated })).Code, 'MissingRequiredHeader');
});

test('paths that do not exist answer JSON', async () => {
  for (const path of ['/2023-03-30/nothing', '/2023-03-30/functions/%zz', '/2023-03-30']) {
    const { status, Code } = await send(signed(world.platform, { method: 'GET', path }));
    assert.deepEqual([status, Code], [400, 'PathNotSupported'], path);
  }
});

test('the credentials of an instance call functions; they read and change none', async () => {
  const code = { 'index.js': 'exports.handler = async (e, c) => c.credentials;' };
  const name = await world.deploy('credentials', code);
  const echo = await world.deploy('called', ECHO);
  const credentials = JSON.parse((await world.invoke(name)).text) as {
    accessKeyId: string;
    accessKeySecret: string;
    securityToken: string;
  };
  const client = clientOf(world.platform, credentials);
  const called = await client.invokeFunction(echo, new models.InvokeFunctionRequest({}));
  called.body?.resume(); // what is not read keeps its connection busy
  assert.equal(called.statusCode, 200);
  const denied = failsWith('AccessDenied', 403);
  await assert.rejects(client.listFunctions(new models.ListFunctionsRequest({ prefix: echo })), denied);
  await assert.rejects(client.getFunction(echo, new models.GetFunctionRequest({})), denied);
  await assert.rejects(client.getFunctionCode(echo, new models.GetFunctionCodeRequest({})), denied);
  await assert.rejects(client.deleteFunction(echo), denied);
  const { securityToken: _token, ...bare } = credentials;
  const stripped = clientOf(world.platform, bare);
  await assert.rejects(
    stripped.listFunctions(new models.ListFunctionsRequest({})),
    failsWith('InvalidAccessKeyID', 403),
  );
});
