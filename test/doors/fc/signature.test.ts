import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Control } from '../../../src/core/ports/control.ts';
import { createFcDoor } from '../../../src/doors/fc/door.ts';
import { doorBasics, partial, serve, type TestServer } from '../door-world.ts';
import { type SignOptions, signedHeaders } from '../signing.ts';

let server: TestServer;

before(async () => {
  const door = createFcDoor({
    ...doorBasics(),
    control: partial<Control>('control', {
      listFunctions: async () => ({ items: [] }),
      deleteFunction: async () => {},
    }),
    dispatch: partial('dispatch', {}),
    tasks: partial('tasks', {}),
    scheduling: partial('scheduling', {}),
    reserved: partial('reserved', {}),
    sessions: partial('sessions', {}),
    facts: partial('facts', {}),
    nodes: { exec: () => Promise.reject(new Error('no nodes')) },
    blobs: partial('blobs', {}),
    publicUrl: () => server.url,
    triggerUrls: () => ({ internet: '', intranet: '' }),
    linkSecret: Buffer.alloc(32),
  });
  server = await serve(door.handle);
});
after(() => server.close());

const PATH = '/2023-03-30/functions';

async function call(
  headers: Record<string, string>,
  init: { method?: string; path?: string; body?: string } = {},
): Promise<{ status: number; Code?: string; Message?: string; RequestId?: string }> {
  const { host: _host, ...rest } = headers;
  const { method = 'GET', path = PATH, body } = init;
  const res = await fetch(server.url + path, { method, headers: rest, ...(body === undefined ? {} : { body }) });
  assert.ok(res.headers.get('x-fc-request-id'), 'every answer carries a request id');
  const text = await res.text();
  return { status: res.status, ...(text === '' ? {} : JSON.parse(text)) };
}

function sign(options: Partial<SignOptions> = {}): Record<string, string> {
  return signedHeaders({ host: server.host, method: 'GET', path: PATH, ...options });
}

test('a signed request passes, the same nonce does not pass again', async () => {
  const headers = sign();
  assert.equal((await call(headers)).status, 200);
  const replay = await call(headers);
  assert.equal(replay.status, 403);
  assert.equal(replay.Code, 'AccessDenied');
  assert.match(replay.Message ?? '', /nonce/);
  // Another request with its nonce; of the same second, since a nonce is remembered with the date it was signed for.
  const { 'x-acs-signature-nonce': nonce = '', 'x-acs-date': date = '' } = headers;
  const other = await call(sign({ nonce, date, query: 'q=1' }), { path: `${PATH}?q=1` });
  assert.deepEqual([other.status, /nonce/.test(other.Message ?? '')], [403, true]);
});

test('a refused signature does not use up its nonce', async () => {
  const nonce = 'n'.repeat(64);
  assert.equal((await call(sign({ nonce, secret: 'wrong' }))).Code, 'SignatureNotMatch');
  assert.equal((await call(sign({ nonce }))).status, 200);
});

test('wrong secret, unknown key, forged token', async () => {
  const wrong = await call(sign({ secret: 'SKWRONG' }));
  assert.deepEqual([wrong.status, wrong.Code], [403, 'SignatureNotMatch']);
  const unknown = await call(sign({ accessKeyId: 'NOBODY' }));
  assert.deepEqual([unknown.status, unknown.Code], [403, 'InvalidAccessKeyID']);
  assert.match(unknown.Message ?? '', /^invalid access key ID 'NOBODY'/);
  const sts = { accessKeyId: 'STS.1', secret: 'SKSTS' };
  assert.equal((await call(sign({ ...sts, token: 'FORGED' }))).Code, 'InvalidAccessKeyID');
  const known = await call(sign({ ...sts, token: 'TOKEN' }));
  assert.deepEqual([known.status, known.Code], [403, 'AccessDenied']);
});

test('credentials of an instance may not change functions', async () => {
  const path = `${PATH}/f`;
  const options = { accessKeyId: 'STS.1', secret: 'SKSTS', token: 'TOKEN', method: 'DELETE', path };
  const refused = await call(sign(options), { method: 'DELETE', path });
  assert.deepEqual([refused.status, refused.Code], [403, 'AccessDenied']);
  assert.equal((await call(sign({ method: 'DELETE', path }), { method: 'DELETE', path })).status, 204);
});

test('skew beyond fifteen minutes is refused in both directions, less is not', async () => {
  const at = (minutes: number) => `${new Date(Date.now() + minutes * 60_000).toISOString().slice(0, 19)}Z`;
  for (const minutes of [-16, 16]) {
    const refused = await call(sign({ date: at(minutes) }));
    assert.deepEqual([refused.status, refused.Code], [403, 'AccessDenied']);
    assert.match(
      refused.Message ?? '',
      /^the difference between the request time '.*' and the current time '.*' is too large/,
    );
  }
  for (const minutes of [-14, 14]) assert.equal((await call(sign({ date: at(minutes) }))).status, 200);
});

test('what is missing is named', async () => {
  const { 'x-acs-date': _date, ...undated } = sign();
  const noDate = await call(undated);
  assert.deepEqual([noDate.status, noDate.Code], [400, 'MissingRequiredHeader']);
  const { authorization: _authorization, ...unsigned } = sign();
  assert.deepEqual((await call(unsigned)).Code, 'AccessDenied');
  const legacy = await call({ ...unsigned, authorization: 'FC AKTEST:abc=' });
  assert.equal(legacy.Code, 'NotSupported');
  assert.match(legacy.Message ?? '', /legacy 'FC' signature/);
});

test('a body other than the signed one is refused, a changed query too', async () => {
  const changed = await call(sign({ method: 'POST', body: '{"a":1}' }), { method: 'POST', body: '{"a":2}' });
  assert.deepEqual([changed.status, changed.Code], [403, 'SignatureNotMatch']);
  const query = await call(sign({ query: 'limit=5' }), { path: `${PATH}?limit=6` });
  assert.equal(query.Code, 'SignatureNotMatch');
  assert.equal((await call(sign({ query: 'limit=5' }), { path: `${PATH}?limit=5` })).status, 200);
});
