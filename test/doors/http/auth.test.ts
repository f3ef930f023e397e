import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { type JWTPayload, SignJWT } from 'jose';
import type { JwtAuth, TriggerKey } from '../../../src/core/domain/trigger-auth.ts';
import { algorithmsOf } from '../../../src/core/domain/trigger-auth.ts';
import { sameSecret } from '../../../src/doors/http/trigger-auth.ts';
import { answerOf } from '../door-world.ts';
import { HttpWorld, type RawAnswer } from './http-world.ts';

const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ED = generateKeyPairSync('ed25519');
const SECRET = Buffer.alloc(64, 9);
const keyOf = (key: KeyObject, kid?: string, extra: object = {}): TriggerKey =>
  ({ ...key.export({ format: 'jwk' }), ...(kid === undefined ? {} : { kid }), ...extra }) as TriggerKey;
const OCT: TriggerKey = { kty: 'oct', kid: 'shared', k: SECRET.toString('base64url') };

const JWT: JwtAuth = {
  kind: 'jwt',
  keys: [keyOf(RSA.publicKey, 'rsa'), keyOf(ED.publicKey), OCT],
  lookup: [
    { position: 'header', name: 'Authorization', prefix: 'Bearer' },
    { position: 'cookie', name: 'session', prefix: '' },
    { position: 'query', name: 'token', prefix: '' },
    { position: 'form', name: 'jwt', prefix: '' },
  ],
  pass: [
    { position: 'header', claim: 'uid', as: 'x-uid' },
    { position: 'header', claim: 'roles', as: 'x-roles' },
    { position: 'cookie', claim: 'uid', as: 'who' },
    { position: 'form', claim: 'uid', as: 'user' },
  ],
  paths: { mode: 'except', patterns: ['/public/*', '/health'] },
};
const PLAIN: JwtAuth = { ...JWT, lookup: JWT.lookup.slice(0, 1), pass: [] };

let world: HttpWorld;
before(async () => {
  world = await new HttpWorld().start();
  world.reply = async () => answerOf(Buffer.from('{"statusCode":200,"body":"ok"}'));
  world.trigger('jwt', { authType: 'jwt', auth: JWT });
  world.trigger('plain', { authType: 'jwt', auth: PLAIN });
  world.trigger('custom-jwt', { authType: 'jwt', auth: JWT });
  const pinned = [keyOf(RSA.publicKey, 'rsa', { alg: 'RS384' })];
  world.trigger('pinned', { authType: 'jwt', auth: { ...PLAIN, keys: pinned } });
  world.trigger('only', {
    authType: 'jwt',
    auth: { ...PLAIN, paths: { mode: 'only', patterns: ['/admin', '/api/*'] } },
  });
  const tokens = [
    { name: 'on', data: 'a'.repeat(40), enable: true },
    { name: 'off', data: 'b'.repeat(40), enable: false },
  ];
  world.trigger('bearer', { authType: 'bearer', auth: { kind: 'bearer', tokens } });
  const users = [{ name: 'administrator', password: 'Correct:horse-9!ü' }];
  world.trigger('basic', { authType: 'basic', auth: { kind: 'basic', users } });
});
after(() => world.server.close());

interface Signing {
  readonly alg?: string;
  readonly kid?: string;
  readonly key?: KeyObject | Uint8Array;
  readonly expires?: number;
}

function signed(claims: JWTPayload = { uid: 'u1' }, signing: Signing = {}): Promise<string> {
  const { alg = 'RS256', key = RSA.privateKey, expires = 60 } = signing;
  const header = {
    alg,
    ...(signing.kid === undefined ? { kid: 'rsa' } : signing.kid === '' ? {} : { kid: signing.kid }),
  };
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT(claims)
    .setProtectedHeader(header)
    .setExpirationTime(now + expires)
    .sign(key);
}

function failure({ status, body }: RawAnswer): readonly [number, string] {
  const { Message = '' } = JSON.parse(body.toString()) as { Message?: string };
  return [status, Message];
}

const withToken = (path: string, token: string): Promise<RawAnswer> =>
  world.call('GET', path, { headers: { Authorization: `Bearer ${token}` } });

test('the texts and statuses of the field when nothing is sent, or the wrong thing', async () => {
  const told = async (name: string, authorization?: string) => {
    const headers: Record<string, string> = authorization === undefined ? {} : { Authorization: authorization };
    const answer = await world.call('GET', `/~${name}/`, { headers });
    const [status, message] = failure(answer);
    return [status, message.split('.')[0], answer.headers['www-authenticate']?.split(' ')[0]];
  };
  assert.deepEqual(await told('jwt'), [401, 'the jwt token is missing', 'Bearer']);
  assert.deepEqual(await told('jwt', 'Basic abc'), [401, 'the jwt token is missing', 'Bearer']);
  assert.deepEqual(await told('jwt', 'Bearer abc'), [403, 'invalid or expired jwt', undefined]);
  assert.deepEqual(await told('bearer'), [401, 'Authorization header is expected but missing', 'Bearer']);
  for (const wrong of ['Bearer x', `Bearer ${'b'.repeat(40)}`, 'a'.repeat(40), `Basic ${'a'.repeat(40)}`, 'Bearer ']) {
    assert.deepEqual(await told('bearer', wrong), [403, 'access denied due to invalid bearer token', undefined]);
  }
  assert.deepEqual(await told('basic'), [401, 'authorization require', 'Basic']);
  assert.deepEqual(await told('basic', 'Bearer x'), [401, 'Authorization header must start with Basic', 'Basic']);
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
  for (const wrong of [
    'administrator:',
    'administrator',
    ':',
    'administrator:Correct:horse-9!',
    'x:Correct:horse-9!ü',
  ]) {
    assert.deepEqual(await told('basic', basic(wrong)), [401, 'authorization require', 'Basic']);
  }
});

test('who has the token or the password is let in, anonymously as far as policies go', async () => {
  const bearer = await world.call('GET', '/~bearer/', { headers: { Authorization: `bearer ${'a'.repeat(40)}` } });
  const basic = `Basic ${Buffer.from('administrator:Correct:horse-9!ü').toString('base64')}`;
  assert.deepEqual(
    [bearer.status, (await world.call('GET', '/~basic/', { headers: { Authorization: basic } })).status],
    [200, 200],
  );
  assert.equal(world.last?.caller, 'anonymous');
});

test('tokens of every configured key, from every place', async () => {
  const good = await signed();
  for (const token of [
    good,
    await signed({}, { alg: 'PS512' }),
    await signed({}, { alg: 'EdDSA', key: ED.privateKey, kid: '' }),
    await signed({}, { alg: 'HS256', key: SECRET, kid: 'shared' }),
  ]) {
    assert.equal((await withToken('/~jwt/', token)).status, 200);
  }
  assert.equal((await world.call('GET', '/~jwt/', { headers: { Cookie: `a=b; session=${good}` } })).status, 200);
  assert.equal((await world.call('GET', `/~jwt/?token=${good}`)).status, 200);
  const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
  assert.equal((await world.call('POST', '/~jwt/', { headers: form, body: `a=1&jwt=${good}` })).status, 200);
});

test('no token passes by choosing its algorithm, its key or its time', async () => {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 60;
  const publicPem = Buffer.from(RSA.publicKey.export({ type: 'spki', format: 'pem' }));
  const good = await signed();
  const [head = '', body = '', signature = ''] = good.split('.');
  const refused = [
    `${encode({ alg: 'none', kid: 'rsa' })}.${encode({ uid: 'u1', exp })}.`,
    `${encode({ alg: 'none' })}.${encode({ exp })}.${signature}`,
    // key confusion: the public key as a shared secret
    await signed({}, { alg: 'HS256', key: publicPem }),
    await signed({}, { alg: 'HS256', key: publicPem, kid: 'rsa' }),
    await signed({}, { alg: 'HS256', key: SECRET, kid: 'rsa' }),
    await signed({}, { alg: 'EdDSA', key: ED.privateKey, kid: 'rsa' }),
    // another key, an unknown kid, another's kid
    await signed({}, { key: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey }),
    await signed({}, { kid: 'unknown' }),
    await signed({}, { kid: 'shared' }),
    await signed({}, { kid: '' }),
    // time
    await signed({}, { expires: -1 }),
    await signed({ nbf: Math.floor(Date.now() / 1000) + 3_600 }),
    // tampering
    `${head}.${encode({ uid: 'admin', exp })}.${signature}`,
    `${head}.${body}.`,
    `${head}.${body}`,
    `${encode({ alg: 'RS256', kid: 'rsa', crit: ['x'], x: 1 })}.${body}.${signature}`,
    'x'.repeat(7_000),
  ];
  for (const [index, token] of refused.entries()) {
    const [status, message] = failure(await withToken('/~plain/', token));
    assert.deepEqual([index, status, message.split('.')[0]], [index, 403, 'invalid or expired jwt']);
  }
  assert.equal((await withToken('/~plain/', good)).status, 200);
});

test('a key with its own alg serves no other', async () => {
  assert.equal((await withToken('/~pinned/', await signed({}, { alg: 'RS384' }))).status, 200);
  for (const alg of ['RS256', 'PS384']) {
    assert.equal((await withToken('/~pinned/', await signed({}, { alg }))).status, 403, alg);
  }
  assert.deepEqual(algorithmsOf(keyOf(RSA.publicKey, 'k', { alg: 'RS384' })), ['RS384']);
  for (const alg of ['HS256', 'none', 'ES256']) assert.deepEqual(algorithmsOf(keyOf(RSA.publicKey, 'k', { alg })), []);
});

test('the function gets the claims, and nothing that the caller passes for them', async () => {
  const token = await signed({ uid: 'ü\r\nx-evil: 1', roles: ['a', 'b'] });
  const spoof = { 'X-Uid': 'root', 'x-roles': 'admin', Cookie: 'who=root; theme=dark', 'Content-Type': 'text/plain' };
  const headers = { ...spoof, Authorization: `Bearer ${token}` };
  await world.call('POST', '/~jwt/', { headers, body: 'x' });
  const seen = world.event()['headers'] as Record<string, string>;
  assert.equal(seen['X-Uid'], '%C3%BC%0D%0Ax-evil: 1');
  assert.equal(seen['X-Roles'], '["a","b"]');
  assert.equal(seen['Cookie'], `theme=dark; who=${encodeURIComponent('ü\r\nx-evil: 1')}`);
  // without the claim, or where no token is needed, the name is the platform's all the same
  for (const path of ['/~jwt/', '/~jwt/public/a']) {
    await world.call('GET', path, { headers: { ...headers, Authorization: `Bearer ${await signed({})}` } });
    const empty = world.event()['headers'] as Record<string, string>;
    assert.deepEqual([empty['X-Uid'], empty['X-Roles'], empty['Cookie']], [undefined, undefined, 'theme=dark']);
  }
});

test('claims in a form replace what was sent, for events and for raw requests', async () => {
  const token = await signed({ uid: 'u1' });
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded', Authorization: `Bearer ${token}` };
  await world.call('POST', '/~jwt/', { headers, body: 'user=root&a=1' });
  assert.equal(Buffer.from(String(world.event()['body']), 'base64').toString(), 'a=1&user=u1');
  await world.call('POST', '/~custom-jwt/', { headers, body: 'user=root&a=1' });
  const { last } = world;
  assert.ok(last?.input.kind === 'http' && Buffer.isBuffer(last.input.call.body));
  assert.equal(last.input.call.body.toString(), 'a=1&user=u1');
  const length = last.input.call.headers.find(([name]) => name.toLowerCase() === 'content-length');
  assert.equal(length?.[1] ?? String(last.input.call.body.length), String(last.input.call.body.length));
});

test('free paths are free in every reading of them, guarded paths guarded in any', async () => {
  const status = async (path: string) => (await world.call('GET', path)).status;
  for (const free of ['/health', '/public/', '/public/a/b?x=1']) assert.equal(await status(`/~jwt${free}`), 200, free);
  for (const path of [
    '/',
    '/health/',
    '/Health',
    '/public',
    '/public/../admin',
    '/public/%2e%2e/admin',
    '/public/..%2fadmin',
    '/x/public/a',
    '/public/%zz',
    '/public/..%5cadmin',
  ]) {
    assert.equal(await status(`/~jwt${path}`), 401, path);
  }
  for (const free of ['/', '/adminx', '/admin/', '/other']) assert.equal(await status(`/~only${free}`), 200, free);
  for (const path of ['/admin', '/%61dmin', '//admin', '/x/../admin', '/api/', '/api/a', '/./api/a', '/%zz']) {
    assert.equal(await status(`/~only${path}`), 401, path);
  }
});

test('secrets are equal exactly when they are the same', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => sameSecret(a, b) === Buffer.from(a).equals(Buffer.from(b))),
  );
});
