import assert from 'node:assert/strict';
import { createHmac, hash } from 'node:crypto';
import { test } from 'node:test';
import { SigningKey } from '../../../src/doors/wire/signing-key.ts';
import { canonicalQuery, canonicalRequest, canonicalUris, parseAuthorization } from '../../../src/doors/wire/acs3.ts';

// FC reference 2.3: produced by the vendor's own dependency
const TAGS = '[{"Key":"k","Value":"v v"}]';
const QUERY_1 = `limit=5&prefix=${encodeURIComponent("a b*(!)'~+/=")}&tags=${encodeURIComponent(TAGS)}`;
const VECTORS = [
  {
    method: 'GET',
    path: '/2023-03-30/functions',
    query: QUERY_1,
    body: '',
    type: undefined,
    signature: '37973c34b944f7b30e627774e6cbad4422c72d98e9288b33ab63133e13cfd747',
  },
  {
    method: 'POST',
    path: '/2023-03-30/functions/f1/aliases',
    query: '',
    body: '{"aliasName":"prod","versionId":"1"}',
    type: 'application/json; charset=utf-8',
    signature: '91e9da7ebb920d0e736a75b102b23bc0d14361728a68c6c8040a2935c4d504bf',
  },
  {
    method: 'GET',
    path: '/2023-03-30/layerarn/acs%3Afc%3Acn-test%3A123%3Alayers%2FL%2Fversions%2F1',
    query: '',
    body: '',
    type: undefined,
    signature: '4162ef719e136ddf977f9e4be96d5a3be826c40536108178342dcd2bc233110f',
  },
  {
    method: 'POST',
    path: '/2023-03-30/functions/f1/invocations',
    query: 'qualifier=LATEST',
    body: 'hello',
    type: 'application/octet-stream',
    signature: '905f4adec457ba5a558e93b4543de322a05e0334e645e4a3ce2751c54c7e8e67',
  },
];

for (const [index, vector] of VECTORS.entries()) {
  test(`API vector ${index + 1} of the reference`, () => {
    const payloadHash = hash('sha256', vector.body);
    const headers: [string, string][] = [
      ['host', 'fc.example.test:9527'],
      ['x-acs-action', 'X'],
      ['x-acs-content-sha256', payloadHash],
      ['x-acs-credentials-provider', 'static_ak'],
      ['x-acs-date', '2026-01-02T03:04:05Z'],
      ['x-acs-signature-nonce', 'n1'],
      ['x-acs-version', '2023-03-30'],
    ];
    if (vector.type !== undefined) headers.unshift(['content-type', vector.type]);
    const canonical = canonicalRequest({
      method: vector.method,
      uri: canonicalUris(vector.path, false)[0] ?? '',
      query: canonicalQuery(vector.query),
      headers: headers.map(([name, value]) => `${name}:${value}\n`).join(''),
      signedNames: headers.map(([name]) => name).join(';'),
      payloadHash,
    });
    assert.equal(new SigningKey('SKTEST').sign(canonical), vector.signature);
    if (index === 0) {
      assert.equal(hash('sha256', canonical), '724db82be50b87bb88caca5e93b05e8fb56c5800fa8bfe97902cfbfd1bad8e0c');
    }
  });
}

for (const [signed, signature] of [
  [['x-acs-date'], 'bf7cfe706319a7ea079932f0d30b5f9be93471df216891ba4cca483aceea9f19'],
  [['x-acs-date', 'x-acs-security-token'], '498fc8a65a993334d829fe5d57368875ef18e90d2227eb30b9bf51903402998e'],
] as const) {
  test(`HTTP-trigger vector signing ${signed.join(' and ')}`, () => {
    const canonical = canonicalRequest({
      method: 'POST',
      uri: '/hello',
      query: canonicalQuery('foo=bar'),
      headers: signed.map((name) => `${name}:${name === 'x-acs-date' ? '2026-01-02T03:04:05Z' : ''}\n`).join(''),
      signedNames: signed.join(';'),
      payloadHash: '',
    });
    assert.equal(new SigningKey('SKTEST').sign(canonical), signature);
  });
}

test('both client generations of canonical paths are accepted, and $ for triggers', () => {
  assert.deepEqual(canonicalUris('/a', false), ['/a']);
  assert.deepEqual(canonicalUris('/a+b*c', false), ['/a%20b%2Ac']);
  assert.deepEqual(canonicalUris('/a*b*%7E%7E', false), ['/a%2Ab%2A~~', '/a%2Ab*~%7E']);
  assert.deepEqual(canonicalUris('/$a', true), ['/%24a', '/$a']);
});

test('queries are decoded, sorted by key and encoded again', () => {
  assert.equal(canonicalQuery('b=1&a=x%20y&A=+'), 'A=%20&a=x%20y&b=1');
  assert.equal(canonicalQuery('flag'), 'flag=');
  assert.equal(canonicalQuery('broken=%zz'), 'broken=%25zz');
});

test('only well-formed authorization headers are parsed', () => {
  const signature = 'a'.repeat(64);
  assert.deepEqual(
    parseAuthorization(`ACS3-HMAC-SHA256 Credential=AK,SignedHeaders=host;x-acs-date,Signature=${signature}`),
    {
      accessKeyId: 'AK',
      signedHeaders: ['host', 'x-acs-date'],
      signedNames: 'host;x-acs-date',
      signature,
    },
  );
  assert.equal(parseAuthorization('ACS3-HMAC-SHA256 Credential=AK,SignedHeaders=host,Signature=xyz'), undefined);
  assert.equal(parseAuthorization('Basic abc'), undefined);
});

test('the prepared key is an HMAC for secrets of any length', () => {
  for (const length of [0, 1, 30, 63, 64, 65, 200]) {
    const secret = 'é'.repeat(length);
    const expected = createHmac('sha256', secret)
      .update(`ACS3-HMAC-SHA256\n${hash('sha256', 'canonical')}`)
      .digest('hex');
    assert.equal(new SigningKey(secret).sign('canonical'), expected);
  }
});
