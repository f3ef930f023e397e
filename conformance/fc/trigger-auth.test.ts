import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { after, before, test } from 'node:test';
import { SignJWT } from 'jose';
import { failsWith, models, World } from './world.ts';

let world: World;
before(async () => {
  world = await World.open();
});
after(() => world.close());

const SEES = {
  'index.js': `exports.handler = async (raw) => {
  const { headers, rawPath } = JSON.parse(raw);
  return { statusCode: 200, headers: {}, body: JSON.stringify({ path: rawPath, uid: headers['X-Uid'] }) };
};`,
};
const KEYS = generateKeyPairSync('rsa', { modulusLength: 2048 });
const STRANGER = generateKeyPairSync('rsa', { modulusLength: 2048 });
const TOKEN = 'conformance-token-0123456789-abcdefgh';
const USER = { userName: 'administrator', password: 'Correct-horse-9!' };

async function deployed(authType: string, authConfig: object): Promise<{ name: string; url: string }> {
  const name = await world.deploy(`auth-${authType}`, SEES);
  const triggerConfig = JSON.stringify({ authType, methods: ['GET', 'POST'], authConfig: JSON.stringify(authConfig) });
  const input = new models.CreateTriggerInput({ triggerName: 'web', triggerType: 'http', triggerConfig });
  const { body } = await world.client.createTrigger(name, new models.CreateTriggerRequest({ body: input }));
  return { name, url: body?.httpTrigger?.urlInternet ?? '' };
}

async function call(url: string, headers: Record<string, string> = {}): Promise<readonly [number, string]> {
  const response = await fetch(url, { headers });
  return [response.status, await response.text()];
}

function tokenFor(uid: string, key: KeyObject = KEYS.privateKey, expires = '1m'): Promise<string> {
  const token = new SignJWT({ uid }).setProtectedHeader({ alg: 'RS256', kid: 'one' });
  return token.setExpirationTime(expires).sign(key);
}

test('jwt: who has a token of the configured key gets in, and the function learns who it is', async () => {
  const { url } = await deployed('jwt', {
    jwks: { keys: [{ ...KEYS.publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256' }] },
    tokenLookup: 'header:Authorization:Bearer,cookie:session',
    claimPassBy: 'header:uid:X-Uid',
    whitelist: ['/public/*'],
  });
  const [missing, text] = await call(url);
  assert.deepEqual([missing, messageOf(text).startsWith('the jwt token is missing')], [401, true]);
  const token = await tokenFor('u1');
  assert.deepEqual(await call(url, { authorization: `Bearer ${token}` }), [200, '{"path":"/","uid":"u1"}']);
  assert.deepEqual(await call(url, { cookie: `session=${token}`, 'x-uid': 'root' }), [200, '{"path":"/","uid":"u1"}']);
  assert.deepEqual(await call(`${url.replace(/\/$/, '')}/public/a`, { 'x-uid': 'root' }), [
    200,
    '{"path":"/public/a"}',
  ]);
  const none = `${Buffer.from('{"alg":"none","kid":"one"}').toString('base64url')}.${token.split('.')[1]}.`;
  for (const wrong of [await tokenFor('u1', STRANGER.privateKey), await tokenFor('u1', KEYS.privateKey, '-1s'), none]) {
    const [status, body] = await call(url, { authorization: `Bearer ${wrong}` });
    assert.deepEqual([status, messageOf(body).startsWith('invalid or expired jwt')], [403, true]);
  }
});

test('bearer: enabled tokens get in', async () => {
  const tokens = [
    { tokenName: 'on', tokenData: TOKEN, enable: true },
    { tokenName: 'off', tokenData: `${TOKEN}-off`, enable: false },
  ];
  const { url } = await deployed('bearer', { tokens });
  assert.equal((await call(url, { authorization: `Bearer ${TOKEN}` }))[0], 200);
  const [missing, text] = await call(url);
  assert.deepEqual([missing, messageOf(text).startsWith('Authorization header is expected but missing')], [401, true]);
  for (const wrong of [`Bearer ${TOKEN}-off`, 'Bearer x', `Basic ${TOKEN}`]) {
    const [status, body] = await call(url, { authorization: wrong });
    assert.deepEqual([status, messageOf(body).startsWith('access denied due to invalid bearer token')], [403, true]);
  }
});

test('basic: name and password get in', async () => {
  const { url } = await deployed('basic', { users: [USER] });
  const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
  assert.equal((await call(url, basic(`${USER.userName}:${USER.password}`)))[0], 200);
  const asked = await fetch(url);
  assert.deepEqual([asked.status, asked.headers.get('www-authenticate')?.split(' ')[0]], [401, 'Basic']);
  assert.match(messageOf(await asked.text()), /^authorization require/);
  const [status, body] = await call(url, { authorization: `Bearer ${TOKEN}` });
  assert.deepEqual([status, messageOf(body).startsWith('Authorization header must start with Basic')], [401, true]);
  assert.equal((await call(url, basic(`${USER.userName}:wrong`)))[0], 401);
});

test('secrets are in no answer, and an update that sends them as they are shown keeps them', async () => {
  const { name, url } = await deployed('bearer', { tokens: [{ tokenName: 'on', tokenData: TOKEN, enable: true }] });
  const got = await world.client.getTrigger(name, 'web');
  const listed = await world.client.listTriggers(name, new models.ListTriggersRequest({}));
  assert.doesNotMatch(JSON.stringify([got, listed]), new RegExp(TOKEN));
  const shown = JSON.parse(got.body?.triggerConfig ?? '') as { methods: string[] };
  const triggerConfig = JSON.stringify({ ...shown, methods: ['GET'] });
  const body = new models.UpdateTriggerInput({ triggerConfig });
  await world.client.updateTrigger(name, 'web', new models.UpdateTriggerRequest({ body }));
  assert.equal((await call(url, { authorization: `Bearer ${TOKEN}` }))[0], 200);
  assert.equal((await fetch(url, { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` } })).status, 403);
});

test('what could never let anybody in, or everybody, is refused when it is deployed', async () => {
  const invalid = failsWith('InvalidArgument', 400);
  const privateKey = KEYS.privateKey.export({ format: 'jwk' });
  await assert.rejects(deployed('jwt', { jwks: { keys: [privateKey] } }), invalid);
  await assert.rejects(deployed('jwt', { jwks: { keys: [] }, tokenLookup: 'header:A' }), invalid);
  await assert.rejects(deployed('jwt', { jwks: 'https://issuer/keys' }), failsWith('NotSupported', 400));
  await assert.rejects(deployed('bearer', { tokens: [{ tokenName: 'a', tokenData: 'short' }] }), invalid);
  await assert.rejects(deployed('basic', { users: [{ userName: 'administrator', password: 'password' }] }), invalid);
});

function messageOf(text: string): string {
  return (JSON.parse(text) as { Message: string }).Message;
}
