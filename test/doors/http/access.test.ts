import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isPrivatePeer } from '../../../src/doors/http/trigger-address.ts';
import { answerOf } from '../door-world.ts';
import { triggerHeaders } from '../signing.ts';
import { HttpWorld } from './http-world.ts';

const world = new HttpWorld();
before(async () => {
  await world.start();
  world.trigger('web');
  world.trigger('get-only', { methods: ['GET'] });
  world.trigger('hidden', { disableUrlInternet: true });
  world.trigger('signed', { authType: 'function' });
  world.reply = async () => answerOf(Buffer.from('{"ok":true}'));
});
after(() => world.server.close());

const code = (body: Buffer): string => (JSON.parse(body.toString()) as { Code: string }).Code;

test('found by path and by both kinds of Host', async () => {
  assert.equal((await world.call('GET', '/~web/x')).status, 200);
  assert.equal((await world.call('GET', '/x', { headers: { host: 'web.local.fcapp.localhost:9000' } })).status, 200);
  assert.equal((await world.call('GET', '/x', { headers: { host: 'WEB.fn.example.com' } })).status, 200);
  assert.equal((await world.call('GET', '/x', { headers: { host: 'a.web.fn.example.com' } })).status, 421);
  assert.equal((await world.call('GET', '/x', { headers: { host: 'example.com' } })).status, 421);
  assert.equal((await world.call('GET', '/~/x')).status, 421);
});

test('no trigger is 404, another method 403, a disabled internet URL 403', async () => {
  const none = await world.call('GET', '/~nobody/');
  assert.deepEqual([none.status, code(none.body)], [404, 'TriggerNotFound']);
  const method = await world.call('POST', '/~get-only/', { body: 'x' });
  assert.deepEqual([method.status, code(method.body)], [403, 'AccessDenied']);
  assert.match(method.body.toString(), /POST.*Allowed are: GET/);
  assert.equal((await world.call('OPTIONS', '/~web/')).status, 403);
  const hidden = await world.call('GET', '/~hidden/');
  assert.equal(hidden.status, 403);
  assert.match(hidden.body.toString(), /access denied due to function internet URL is disable/);
  assert.equal((await world.call('GET', '/', { headers: { host: 'hidden.fn.example.com' } })).status, 403);
  assert.equal((await world.call('GET', '/', { headers: { host: 'hidden.local.fcapp.localhost' } })).status, 200);
});

test('only private peers count as internal', () => {
  for (const peer of ['127.0.0.1', '::1', '::ffff:10.1.2.3', '172.20.0.5', '192.168.1.1', 'fd00::1'])
    assert.ok(isPrivatePeer(peer), peer);
  for (const peer of ['8.8.8.8', '::ffff:172.32.0.1', '2001:db8::1', '127x', undefined])
    assert.ok(!isPrivatePeer(peer), peer);
});

test('signed triggers: the variant without body and host', async () => {
  assert.equal(
    (await world.call('POST', '/~signed/a?b=1', { headers: triggerHeaders('POST', '/~signed/a', 'b=1'), body: 'any' }))
      .status,
    200,
  );
  assert.equal(
    world.last?.caller !== 'anonymous' && world.last?.caller !== 'trigger' && world.last?.caller.kind,
    'root',
  );
  const host = 'signed.local.fcapp.localhost';
  assert.equal((await world.call('GET', '/$x', { headers: { host, ...triggerHeaders('GET', '/%24x') } })).status, 200);
  const tampered = await world.call('GET', '/~signed/a?b=2', { headers: triggerHeaders('GET', '/~signed/a', 'b=1') });
  assert.deepEqual([tampered.status, code(tampered.body)], [403, 'SignatureNotMatch']);
  const late = new Date(Date.now() - 16 * 60_000).toISOString();
  assert.equal(
    (await world.call('GET', '/~signed/', { headers: triggerHeaders('GET', '/~signed/', '', late) })).status,
    403,
  );
  const unsigned = await world.call('GET', '/~signed/');
  assert.deepEqual([unsigned.status, code(unsigned.body)], [400, 'MissingRequiredHeader']);
});

test('a key of another account is not enough', async () => {
  const { createHash, createHmac } = await import('node:crypto');
  const date = new Date().toISOString();
  const canonical = `GET\n/~signed/\n\nx-acs-date:${date}\n\nx-acs-date\n`;
  const digest = createHash('sha256').update(canonical).digest('hex');
  const signature = createHmac('sha256', 'SKTEST').update(`ACS3-HMAC-SHA256\n${digest}`).digest('hex');
  const authorization = `ACS3-HMAC-SHA256 Credential=AKOTHER,SignedHeaders=x-acs-date,Signature=${signature}`;
  const { status } = await world.call('GET', '/~signed/', { headers: { 'x-acs-date': date, authorization } });
  assert.equal(status, 403);
});

test('size limits', async () => {
  const headers = await world.call('GET', '/~web/', { headers: { 'x-large': 'a'.repeat(8200) } });
  assert.deepEqual([headers.status, code(headers.body)], [400, 'InvalidArgument']);
  const path = await world.call('GET', `/~web/${'a'.repeat(4096)}`);
  assert.deepEqual([path.status, code(path.body)], [400, 'InvalidArgument']);
  const body = await world.call('POST', '/~web/', { body: Buffer.alloc(32 * 1024 * 1024 + 1) });
  assert.deepEqual([body.status, code(body.body)], [400, 'EntityTooLarge']);
});

test('browsers get CORS headers unless the function sets its own', async () => {
  const origin = 'https://app.example';
  const byDefault = await world.call('GET', '/~web/', { headers: { origin } });
  assert.equal(byDefault.headers['access-control-allow-origin'], origin);
  assert.equal(byDefault.headers['access-control-allow-credentials'], 'true');
  assert.equal(byDefault.headers['access-control-expose-headers'], 'Date,x-fc-request-id');
  const error = await world.call('GET', '/~nobody/', { headers: { origin } });
  assert.equal(error.headers['access-control-allow-origin'], origin);
  world.reply = async () => answerOf(Buffer.from('{"statusCode":200,"headers":{"access-control-allow-origin":"*"}}'));
  const own = await world.call('GET', '/~web/', { headers: { origin } });
  assert.equal(own.headers['access-control-allow-origin'], '*');
  assert.equal(own.headers['access-control-allow-credentials'], undefined);
  assert.equal((await world.call('GET', '/~web/')).headers['access-control-expose-headers'], undefined);
});

test('async is 202, for events and for raw HTTP', async () => {
  const headers = { 'x-fc-invocation-type': 'Async', 'x-fc-async-task-id': 'job' };
  const event = await world.call('POST', '/~web/a', { headers, body: 'x' });
  assert.deepEqual([event.status, event.body.length, event.headers['x-fc-async-task-id']], [202, 0, 'job']);
  assert.equal(world.accepted?.qualifier, 'prod');
  assert.equal((JSON.parse(String(world.accepted?.payload)) as { rawPath: string }).rawPath, '/a');
  world.trigger('custom-web');
  assert.equal((await world.call('PUT', '/~custom-web/a?b', { headers, body: 'raw' })).status, 202);
  assert.deepEqual([world.accepted?.http?.method, world.accepted?.http?.target], ['PUT', '/a?b']);
  assert.equal(String(world.accepted?.payload), 'raw');
});
