import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HttpConditions } from '../../../src/doors/wire/request-conditions.ts';

const headers = { 'user-agent': 'sdk/1', 'x-forwarded-for': '10.0.0.1', 'x-forwarded-proto': 'https' };

test('a request tells its address, transport and program; what it says of itself in headers is not taken for them', () => {
  const plain = new HttpConditions({ headers, socket: { remoteAddress: '203.0.113.7' } });
  const asked = ['acs:sourceip', 'acs:securetransport', 'acs:useragent', 'oss:prefix'];
  assert.deepEqual(
    asked.map((key) => plain.get(key)),
    ['203.0.113.7', 'false', 'sdk/1', undefined],
  );
  const secured = new HttpConditions(
    { headers: {}, socket: { remoteAddress: '::ffff:203.0.113.7', encrypted: true } },
    new Map([['oss:prefix', 'a/']]),
  );
  assert.deepEqual(
    asked.map((key) => secured.get(key)),
    ['::ffff:203.0.113.7', 'true', undefined, 'a/'],
  );
});
