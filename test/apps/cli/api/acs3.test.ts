import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalQuery, signAcs3 } from '../../../../src/apps/cli/api/acs3.ts';
import { fcPath } from '../../../../src/apps/cli/api/fc-client.ts';

const KEY = { id: 'AKTEST', secret: 'SKTEST' };
const MOMENT = { now: Date.parse('2026-01-02T03:04:05Z'), nonce: 'n1' };

function signatureOf(
  method: string,
  path: string,
  query: Record<string, string>,
  body?: string,
  contentType?: string,
): string {
  const headers = signAcs3(
    {
      method,
      path,
      query,
      host: 'fc.example.test:9527',
      action: 'X',
      body: body === undefined ? undefined : Buffer.from(body),
      contentType,
    },
    KEY,
    MOMENT,
  );
  return /Signature=([0-9a-f]+)$/.exec(headers['authorization'] ?? '')?.[1] ?? '';
}

// The vectors of FC reference 2.3, made by the vendor's own signer.
test('vector 1: a query with everything that must be encoded', () => {
  const query = { limit: '5', prefix: "a b*(!)'~+/=", tags: '[{"Key":"k","Value":"v v"}]' };
  assert.equal(
    canonicalQuery(query),
    'limit=5&prefix=a%20b%2A%28%21%29%27~%2B%2F%3D&tags=%5B%7B%22Key%22%3A%22k%22%2C%22Value%22%3A%22v%20v%22%7D%5D',
  );
  assert.equal(
    signatureOf('GET', '/2023-03-30/functions', query),
    '37973c34b944f7b30e627774e6cbad4422c72d98e9288b33ab63133e13cfd747',
  );
});

test('vector 2: a JSON body', () => {
  assert.equal(
    signatureOf(
      'POST',
      '/2023-03-30/functions/f1/aliases',
      {},
      '{"aliasName":"prod","versionId":"1"}',
      'application/json; charset=utf-8',
    ),
    '91e9da7ebb920d0e736a75b102b23bc0d14361728a68c6c8040a2935c4d504bf',
  );
});

test('vector 3: a path with encoded characters', () => {
  const path = fcPath`/layerarn/${'acs:fc:cn-test:123:layers/L/versions/1'}`;
  assert.equal(path, '/2023-03-30/layerarn/acs%3Afc%3Acn-test%3A123%3Alayers%2FL%2Fversions%2F1');
  assert.equal(signatureOf('GET', path, {}), '4162ef719e136ddf977f9e4be96d5a3be826c40536108178342dcd2bc233110f');
});

test('vector 4: bytes', () => {
  assert.equal(
    signatureOf(
      'POST',
      '/2023-03-30/functions/f1/invocations',
      { qualifier: 'LATEST' },
      'hello',
      'application/octet-stream',
    ),
    '905f4adec457ba5a558e93b4543de322a05e0334e645e4a3ce2751c54c7e8e67',
  );
});
