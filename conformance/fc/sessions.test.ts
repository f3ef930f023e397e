import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { failsWith, models, World } from './world.ts';

let world: World;
before(async () => {
  world = await World.open();
});
after(() => world.close());

/** Counts the calls of its instance; answers with the count and the instance's own name. */
const COUNTS = {
  'server.js': `let calls = 0; const me = process.pid + '-' + Math.random();
    require('http').createServer((req, res) => res.end(JSON.stringify({ calls: ++calls, me }))).listen(9000);`,
};

type Input = ConstructorParameters<typeof models.CreateFunctionInput>[0];

function deploy(hint: string, affinity: string, config: object, rest: Input = {}): Promise<string> {
  return world.deploy(hint, COUNTS, {
    runtime: 'custom.debian12',
    handler: 'any',
    customRuntimeConfig: new models.CustomRuntimeConfig({ command: ['node', 'server.js'], port: 9000 }),
    sessionAffinity: affinity,
    sessionAffinityConfig: JSON.stringify(config),
    ...rest,
  });
}

function header(id: string): { headers: Record<string, string> } {
  return { headers: { 'x-session': id } };
}

test('header affinity: a session stays on its instance, others get instances of their own', async () => {
  const name = await deploy('by-header', 'HEADER_FIELD', {
    affinityHeaderFieldName: 'x-session',
    sessionConcurrencyPerInstance: 1,
  });
  const shown = await world.client.getFunction(name, new models.GetFunctionRequest({}));
  assert.equal(shown.body?.instanceConcurrency, 200);
  assert.equal(shown.body?.sessionAffinity, 'HEADER_FIELD');
  assert.deepEqual(JSON.parse(shown.body?.sessionAffinityConfig ?? ''), {
    affinityHeaderFieldName: 'x-session',
    sessionConcurrencyPerInstance: 1,
    sessionTTLInSeconds: 21_600,
    sessionIdleTimeoutInSeconds: 1_800,
    disableSessionIdReuse: false,
  });
  const first = await world.invoke(name, '', header('alice'));
  assert.equal(first.headers['x-session'], 'alice');
  const bob = await world.invoke(name, '', header('bob'));
  assert.notEqual(bob.headers['x-fc-instance-id'], first.headers['x-fc-instance-id']);
  const more = await Promise.all(Array.from({ length: 20 }, () => world.invoke(name, '', header('alice'))));
  const calls = more.map(({ text }) => (JSON.parse(text) as { calls: number }).calls);
  assert.equal(Math.max(...calls), 21);
  for (const each of more) assert.equal(each.headers['x-fc-instance-id'], first.headers['x-fc-instance-id']);

  const own = await world.invoke(name, '');
  const id = own.headers['x-session'] ?? '';
  assert.match(id, /^[a-zA-Z0-9_][a-zA-Z0-9_-]*$/, 'a call without the header is told its id');
  const again = await world.invoke(name, '', header(id));
  assert.equal(again.headers['x-fc-instance-id'], own.headers['x-fc-instance-id']);
  await assert.rejects(world.invoke(name, '', header('not an id!')), failsWith('InvalidSession', 401));
});

test('cookie affinity over a trigger: the cookie comes first, an id that is not known is 401', async () => {
  const name = await deploy('by-cookie', 'GENERATED_COOKIE', { sessionTTLInSeconds: 600 });
  const config = { authType: 'anonymous', methods: ['GET'] };
  const input = { triggerName: 'http', triggerType: 'http', triggerConfig: JSON.stringify(config) };
  const trigger = await world.client.createTrigger(
    name,
    new models.CreateTriggerRequest({ body: new models.CreateTriggerInput(input) }),
  );
  const url = trigger.body?.httpTrigger?.urlInternet ?? '';
  const first = await fetch(url);
  const cookie = first.headers.get('set-cookie') ?? '';
  assert.match(cookie, /^x-fc-cookie-session-id=[\w-]+; Max-Age=600;/);
  const { me } = (await first.json()) as { me: string };
  const pair = cookie.split(';')[0] ?? '';
  const second = await fetch(url, { headers: { cookie: `other=1; ${pair}` } });
  assert.equal(second.headers.get('set-cookie'), null);
  assert.deepEqual(await second.json(), { calls: 2, me });
  const unknown = await fetch(url, { headers: { cookie: 'x-fc-cookie-session-id=nobody' } });
  assert.equal(unknown.status, 401);
  assert.equal(((await unknown.json()) as { Code: string }).Code, 'InvalidSession');
});

test('sessions through the API: create, get, list, update, delete, and their errors', async () => {
  const name = await deploy('session-api', 'HEADER_FIELD', {
    affinityHeaderFieldName: 'x-session',
    disableSessionIdReuse: true,
  });
  const { client } = world;
  const create = (input: ConstructorParameters<typeof models.CreateSessionInput>[0]) =>
    client.createSession(name, new models.CreateSessionRequest({ body: new models.CreateSessionInput(input) }));
  const made = (await create({ sessionId: 'carol', sessionTTLInSeconds: 300 })).body;
  assert.deepEqual(
    [
      made?.sessionId,
      made?.sessionStatus,
      made?.sessionTTLInSeconds,
      made?.sessionIdleTimeoutInSeconds,
      made?.functionName,
    ],
    ['carol', 'Active', 300, 1_800, name],
  );
  const called = await world.invoke(name, '', header('carol'));
  assert.equal(called.headers['x-fc-instance-id'], made?.containerId);
  assert.equal(called.headers['x-session'], undefined);
  await assert.rejects(create({ sessionId: 'carol' }), failsWith('InvalidArgument', 400, /already exists/));
  await assert.rejects(create({ sessionId: 'a b' }), failsWith('InvalidArgument', 400, /sessionId/));
  const put = await client.updateSession(
    name,
    'carol',
    new models.UpdateSessionRequest({ body: new models.UpdateSessionInput({ sessionIdleTimeoutInSeconds: 60 }) }),
  );
  assert.equal(put.body?.sessionIdleTimeoutInSeconds, 60);
  const got = await client.getSession(name, 'carol', new models.GetSessionRequest({}));
  assert.deepEqual([got.body?.sessionIdleTimeoutInSeconds, got.body?.qualifier], [60, 'LATEST']);
  const list = async (sessionStatus: string) =>
    (await client.listSessions(name, new models.ListSessionsRequest({ sessionStatus }))).body?.sessions?.map(
      (s) => s.sessionId,
    );
  assert.deepEqual(await list('Active'), ['carol']);
  await client.deleteSession(name, 'carol', new models.DeleteSessionRequest({}));
  assert.deepEqual([await list('Active'), await list('Expired')], [[], ['carol']]);
  await assert.rejects(
    client.getSession(name, 'carol', new models.GetSessionRequest({})),
    failsWith('InvalidArgument', 400, /does not exist/),
  );
  await assert.rejects(
    world.invoke(name, '', header('carol')),
    failsWith('InvalidSession', 401),
    'ids may not come again',
  );
});

test('a session ends when nobody used it for its idle time', async () => {
  const name = await deploy('session-idle', 'GENERATED_COOKIE', { sessionIdleTimeoutInSeconds: 1 });
  const first = await world.invoke(name, '');
  const pair = (first.headers['set-cookie'] ?? '').split(';')[0] ?? '';
  assert.match(pair, /^x-fc-cookie-session-id=/);
  await world.invoke(name, '', { headers: { cookie: pair } });
  for (let status = 'Active'; status === 'Active'; ) {
    const listed = await world.client.listSessions(name, new models.ListSessionsRequest({}));
    status = listed.body?.sessions?.[0]?.sessionStatus ?? '';
  }
  await assert.rejects(world.invoke(name, '', { headers: { cookie: pair } }), failsWith('InvalidSession', 401));
});

test('an exclusive session has its instance alone, and takes it along', async () => {
  const name = await deploy(
    'session-alone',
    'HEADER_FIELD',
    { affinityHeaderFieldName: 'x-session' },
    { instanceIsolationMode: 'SESSION_EXCLUSIVE' },
  );
  const one = await world.invoke(name, '', header('one'));
  const two = await world.invoke(name, '', header('two'));
  assert.notEqual(one.headers['x-fc-instance-id'], two.headers['x-fc-instance-id']);
  assert.equal(
    (await world.invoke(name, '', header('one'))).headers['x-fc-instance-id'],
    one.headers['x-fc-instance-id'],
  );
  await world.client.deleteSession(name, 'one', new models.DeleteSessionRequest({}));
  await world.waitFor(
    name,
    (fact) => fact.type === 'instance-gone' && fact['instanceId'] === one.headers['x-fc-instance-id'],
  );
});

test('what does not go with session affinity is refused by name', async () => {
  const config = { affinityHeaderFieldName: 'x-session' };
  const name = await deploy('session-refused', 'HEADER_FIELD', config);
  await assert.rejects(
    world.invoke(name, '', { headers: { 'x-fc-invocation-type': 'Async', 'x-session': 'a' } }),
    failsWith('InvalidArgument', 400, /session affinity/),
  );
  await assert.rejects(deploy('bad', 'HEADER_FIELD', {}), failsWith('InvalidArgument', 400, /affinityHeaderFieldName/));
  await assert.rejects(
    deploy('bad', 'GENERATED_COOKIE', { sessionConcurrencyPerInstance: 201 }),
    failsWith('InvalidArgument', 400, /sessionConcurrencyPerInstance/),
  );
  await assert.rejects(deploy('bad', 'GENERATED_COOKIE', { ttl: 1 }), failsWith('InvalidArgument', 400, /ttl/));
  await assert.rejects(deploy('bad', 'MCP_SSE', {}), failsWith('NotSupported', 400, /sessionAffinity/));
  await assert.rejects(
    deploy('bad', 'HEADER_FIELD', config, { runtime: 'nodejs20', handler: 'index.handler' }),
    failsWith('InvalidArgument', 400, /custom runtime/),
  );
  const plain = await world.deploy('session-none', { 'index.js': 'exports.handler = async (e) => e;' });
  await assert.rejects(
    world.client.createSession(plain, new models.CreateSessionRequest({ body: new models.CreateSessionInput({}) })),
    failsWith('InvalidArgument', 400, /no session affinity config/),
  );
});
