import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import type { HttpTriggerConfig } from '../../../src/core/domain/trigger.ts';
import type { TriggerAuth } from '../../../src/core/domain/trigger-auth.ts';
import { readTriggerAuth, withoutAuthSecrets } from '../../../src/services/control/trigger-auth-config.ts';

const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 });
const PUBLIC = { ...RSA.publicKey.export({ format: 'jwk' }), kid: 'a', alg: 'RS256' };
const WEAK = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });
const EC = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
const OCT = { kty: 'oct', kid: 's', k: Buffer.alloc(32, 7).toString('base64url') };
const TOKEN = 'abcdefghijklmnopqrstuvwxyz0123456789';
const USER = { userName: 'administrator', password: 'Correct-horse-9!' };

const jwt = (extra: object, keys: readonly unknown[] = [PUBLIC]): unknown => ({ jwks: { keys }, ...extra });
const bearer = (...tokens: object[]): unknown => ({ tokens });
const token = (extra: object = {}) => ({ tokenName: 'one', tokenData: TOKEN, enable: true, ...extra });

function before(auth: TriggerAuth): HttpTriggerConfig {
  return { type: 'http', authType: auth.kind, auth, methods: ['GET'], disableUrlInternet: false, domainPrefix: 'p' };
}

const REFUSALS: readonly (readonly [TriggerAuth['kind'], unknown, RegExp])[] = [
  ['jwt', '', /authConfig is required/],
  ['jwt', '[]', /authConfig is required|must be a JSON object/],
  ['jwt', jwt({ other: 1 }), /'triggerConfig\.authConfig\.other'/],
  ['jwt', { jwks: 'https://issuer/jwks.json' }, /a JWKS by URL is not supported/],
  ['jwt', { jwks: { keys: [] }, x: 1 }, /list of 1 to 20 keys/],
  [
    'jwt',
    jwt(
      {},
      Array.from({ length: 21 }, () => PUBLIC),
    ),
    /list of 1 to 20 keys/,
  ],
  ['jwt', jwt({}, [PUBLIC, PUBLIC]), /a kid each/],
  ['jwt', jwt({}, [{ ...PUBLIC, kid: undefined }, EC]), /at most one key may have none/],
  ['jwt', jwt({}, [{ kty: 'none' }]), /kty must be one of/],
  ['jwt', jwt({}, [{ ...PUBLIC, alg: 'HS256' }]), /alg must be an algorithm for keys of this type/],
  ['jwt', jwt({}, [{ ...PUBLIC, alg: 'none' }]), /alg must be/],
  ['jwt', jwt({}, [{ ...EC, alg: 'ES384' }]), /alg must be/],
  ['jwt', jwt({}, [{ ...EC, crv: 'secp256k1' }]), /alg must be/],
  ['jwt', jwt({}, [{ ...PUBLIC, use: 'enc' }]), /use must be 'sig'/],
  ['jwt', jwt({}, [{ ...PUBLIC, n: 'AQAB' }]), /not a valid key, or a weak one/],
  ['jwt', jwt({}, [WEAK]), /a weak one/],
  ['jwt', jwt({}, [{ ...OCT, k: 'c2hvcnQ' }]), /a weak one/],
  ['jwt', jwt({}, [{ ...OCT, k: '******' }]), /not a valid key/],
  ['jwt', jwt({}, [RSA.privateKey.export({ format: 'jwk' })]), /is a private key/],
  ['jwt', jwt({ tokenLookup: 'body:token' }), /header, cookie, query, form/],
  ['jwt', jwt({ tokenLookup: 'header' }), /name of a header/],
  ['jwt', jwt({ tokenLookup: 'header:a:b:c' }), /too many parts/],
  ['jwt', jwt({ tokenLookup: 5 }), /must be a text/],
  ['jwt', jwt({ claimPassBy: 'query:uid:uid' }), /header, cookie, form/],
  ['jwt', jwt({ claimPassBy: 'header:uid:Content-Length' }), /cannot give a claim/],
  ['jwt', jwt({ claimPassBy: 'header:uid:x-fc-account-id' }), /cannot give a claim/],
  ['jwt', jwt({ claimPassBy: 'header::uid' }), /name of a claim/],
  ['jwt', jwt({ whitelist: ['a'] }), /a path begins with/],
  ['jwt', jwt({ whitelist: ['/a/*/b'] }), /\* at its end only/],
  ['jwt', jwt({ whitelist: ['/a'], blacklist: ['/b'] }), /not both/],
  ['bearer', { tokens: [], x: 1 }, /list of 1 to 20/],
  ['bearer', bearer(...Array.from({ length: 21 }, () => token())), /list of 1 to 20/],
  ['bearer', bearer(token({ tokenData: 'short' })), /32 to 128 characters/],
  ['bearer', bearer(token({ tokenData: `${TOKEN} ` })), /only characters/],
  ['bearer', bearer(token({ tokenName: '1a' })), /tokenName must be a name/],
  ['bearer', bearer(token(), token({ tokenName: 'two' })), /the same tokenData twice/],
  ['bearer', bearer(token(), token({ tokenData: `${TOKEN}x` })), /the same tokenName twice/],
  ['bearer', bearer(token({ enable: 'yes' })), /enable must be true or false/],
  ['basic', { users: [{ ...USER, userName: 'short' }] }, /at least 12 characters/],
  ['basic', { users: [{ ...USER, password: 'nouppercase-9!' }] }, /upper-case and lower-case/],
  ['basic', { users: [{ ...USER, password: 'Sh0rt!' }] }, /12 to 128 characters/],
  ['basic', { users: [USER, { ...USER, userName: 'administrator2' }] }, /the same password twice/],
];

for (const [kind, value, message] of REFUSALS) {
  test(`${kind} is refused with ${message}`, () => {
    assert.throws(
      () => readTriggerAuth(kind, value, undefined),
      (error) => {
        assert.ok(error instanceof TidemillError && error.culprit !== 'function', String(error));
        assert.match(error.message, message);
        for (const secret of [TOKEN, USER.password, OCT.k, 'nouppercase-9!'])
          assert.ok(!error.message.includes(secret));
        return true;
      },
    );
  });
}

test('the forms that clients use are all read alike', () => {
  const expected = {
    kind: 'jwt',
    keys: [PUBLIC],
    lookup: [
      { position: 'header', name: 'Authorization', prefix: 'Bearer' },
      { position: 'cookie', name: 'session', prefix: '' },
    ],
    pass: [{ position: 'header', claim: 'uid', as: 'user' }],
    paths: { mode: 'except', patterns: ['/public/*'] },
  };
  const texts = { tokenLookup: 'header:Authorization:Bearer, cookie:session', claimPassBy: 'header:uid:user' };
  const forms = [
    { jwks: { keys: [PUBLIC] }, ...texts, whitelist: ['/public/*'] },
    {
      JWKS: { keys: [PUBLIC] },
      TokenLookup: texts.tokenLookup,
      ClaimPassBy: texts.claimPassBy,
      Whitelist: ['/public/*'],
    },
    {
      jwks: { keys: [PUBLIC] },
      tokenLookup: [
        { position: 'header', name: 'Authorization', prefix: 'Bearer' },
        { position: 'cookie', name: 'session' },
      ],
      claimPassBy: [{ position: 'header', claim: 'uid', name: 'user' }],
      whitelist: ['/public/*'],
    },
  ];
  for (const form of forms) {
    assert.deepEqual(readTriggerAuth('jwt', form, undefined), expected);
    assert.deepEqual(readTriggerAuth('jwt', JSON.stringify(form), undefined), expected);
  }
  const plain = readTriggerAuth('jwt', { jwks: { keys: [PUBLIC] } }, undefined);
  assert.deepEqual(plain.kind === 'jwt' && [plain.lookup, plain.paths], [
    [{ position: 'header', name: 'Authorization', prefix: 'Bearer' }],
    { mode: 'except', patterns: [] },
  ]);
});

test('secrets are not shown, and sent back as they are shown they stay what they were', () => {
  const configs = [
    ['bearer', bearer(token()), TOKEN],
    ['basic', { users: [USER] }, USER.password],
    ['jwt', jwt({}, [OCT]), OCT.k],
  ] as const;
  for (const [kind, authConfig, secret] of configs) {
    for (const given of [authConfig, JSON.stringify(authConfig)]) {
      const auth = readTriggerAuth(kind, given, undefined);
      const shown = withoutAuthSecrets(JSON.stringify({ authType: kind, authConfig: given }));
      assert.ok(!shown.includes(secret), shown);
      const again = (JSON.parse(shown) as { authConfig: unknown }).authConfig;
      assert.equal(typeof again, typeof given);
      assert.deepEqual(readTriggerAuth(kind, again, before(auth)), auth);
      assert.throws(() => readTriggerAuth(kind, again, undefined), TidemillError);
    }
  }
  assert.equal(withoutAuthSecrets('{ "authType": "anonymous" }'), '{ "authType": "anonymous" }');
});

test('reading throws nothing but refusals, whatever it is given', () => {
  const members = fc.constantFrom(
    'jwks',
    'JWKS',
    'keys',
    'tokenLookup',
    'claimPassBy',
    'whitelist',
    'tokens',
    'users',
    '__proto__',
  );
  const value = fc.oneof(
    fc.jsonValue(),
    fc.dictionary(members, fc.jsonValue()),
    fc.array(fc.dictionary(members, fc.jsonValue())),
  );
  const config = fc.oneof(fc.jsonValue(), fc.string(), fc.dictionary(members, value));
  fc.assert(
    fc.property(config, fc.constantFrom('jwt', 'bearer', 'basic'), fc.boolean(), (given, kind, asText) => {
      const sent = asText ? JSON.stringify(given) : given;
      try {
        readTriggerAuth(kind, sent, undefined);
      } catch (error) {
        assert.ok(error instanceof TidemillError, String(error));
      }
      withoutAuthSecrets(JSON.stringify({ authType: kind, ...(asText ? {} : { authConfig: [given] }) }));
    }),
    { numRuns: 2_000 },
  );
});
