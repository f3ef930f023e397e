import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { after, before, test } from 'node:test';
import type { UserRecord } from '../../../src/core/domain/identities.ts';
import type { Identities } from '../../../src/core/ports/identities.ts';
import type { RoleSessions } from '../../../src/core/ports/role-sessions.ts';
import { createIdentityDoor } from '../../../src/doors/identity/door.ts';
import { ACCOUNT, doorBasics, partial, serve, type TestServer } from '../door-world.ts';
import { signedHeaders } from '../signing.ts';

const USER: UserRecord = {
  ...{ account: ACCOUNT, name: 'ann', userId: '1', displayName: 'Ann', comments: '', email: '', mobilePhone: '' },
  ...{ createdAt: 0, updatedAt: 0, keys: [], policies: [], groups: [] },
};

let server: TestServer;
const door = createIdentityDoor({
  ...doorBasics(),
  identities: partial<Identities>('identities', {
    getUser: () => USER,
    createPolicy: async (_account, name, document) => ({
      ...{ name, type: 'Custom', description: document, createdAt: 0, updatedAt: 0, defaultVersion: 'v1' },
      ...{ versions: [], attachmentCount: 0 },
    }),
    listUsers: () => [USER],
  }),
  roleSessions: partial<RoleSessions>('roleSessions', { idOf: () => '1' }),
});
before(async () => {
  server = await serve(door.handle);
});
after(() => server.close());

interface Answer {
  readonly status: number;
  readonly json: Readonly<Record<string, unknown>>;
}

const RAM = '2015-05-01';

/** A signed request for an operation that the headers name, unless `action` and `version` are empty. */
async function call(
  query: string,
  options: { action?: string; version?: string; body?: string; type?: string; method?: string; secret?: string } = {},
): Promise<Answer> {
  const { method = 'POST', body = '', action = 'GetUser', version = RAM, type, secret } = options;
  const headers = signedHeaders({
    ...{ host: new URL(server.url).host, method, path: '/', query, body, action, version },
    ...(secret === undefined ? {} : { secret }),
  });
  const res = await fetch(`${server.url}/${query === '' ? '' : `?${query}`}`, {
    method,
    headers: { ...headers, ...(type === undefined ? {} : { 'content-type': type }) },
    ...(method === 'GET' ? {} : { body }),
  });
  return { status: res.status, json: (await res.json()) as Answer['json'] };
}

function matches(url: string, headers: Record<string, string> = {}): boolean {
  return door.matches({ url, headers } as IncomingMessage);
}

test('it takes what names its versions at the root path, and nothing else', () => {
  assert.ok(matches('/', { 'x-acs-version': RAM }));
  assert.ok(matches('/?Action=AssumeRole&Version=2015-04-01'));
  assert.ok(!matches('/'));
  assert.ok(!matches('/', { 'x-acs-version': '2023-03-30' }));
  assert.ok(!matches('/2023-03-30/functions', { 'x-acs-version': RAM }));
  assert.ok(!matches('/?Version=2016-01-01'));
});

test('parameters come in the query, in a form, or in both; the operation in headers or in parameters', async () => {
  const form = 'application/x-www-form-urlencoded';
  const answers = [
    await call('UserName=ann'),
    await call('UserName=ann', { method: 'GET' }),
    await call('', { body: 'UserName=ann', type: form }),
    await call(`Action=GetUser&UserName=ann&Version=${RAM}`, { action: '', version: '' }),
  ];
  for (const { status, json } of answers) {
    assert.equal(status, 200, JSON.stringify(json));
    assert.deepEqual(json['User'], {
      ...{ UserId: '1', UserName: 'ann', DisplayName: 'Ann', Comments: '', Email: '', MobilePhone: '' },
      ...{ CreateDate: '1970-01-01T00:00:00Z', UpdateDate: '1970-01-01T00:00:00Z' },
    });
    assert.match(String(json['RequestId']), /^[0-9A-F-]{36}$/);
  }
});

test('a policy of full length fits, percent-encoded, in the query', async () => {
  const document = '"'.repeat(6_144);
  const { status, json } = await call(`PolicyDocument=${encodeURIComponent(document)}&PolicyName=p`, {
    action: 'CreatePolicy',
  });
  assert.equal(status, 200, JSON.stringify(json).slice(0, 300));
});

test('what is missing, twice, unknown, too much or badly signed is refused by name', async () => {
  const cases: readonly [string, Parameters<typeof call>[1], number, string, RegExp][] = [
    ['', {}, 400, 'InvalidParameter', /UserName is missing/],
    ['Cow=1&UserName=ann', {}, 400, 'InvalidParameter', /no parameter Cow/],
    [
      'UserName=ann',
      { body: 'UserName=bea', type: 'application/x-www-form-urlencoded' },
      400,
      'InvalidParameter',
      /twice/,
    ],
    ['UserName=ann', { body: '{}', type: 'application/json' }, 400, 'InvalidParameter', /x-www-form-urlencoded/],
    ['UserName=ann', { action: 'Moo' }, 400, 'NotSupported', /'Moo'/],
    ['UserName=ann', { action: 'GetLoginProfile' }, 400, 'NotSupported', /GetLoginProfile.*access keys/],
    ['UserName=ann', { secret: 'wrong' }, 400, 'SignatureDoesNotMatch', /signature/],
    ['MaxItems=0', { action: 'ListUsers' }, 400, 'InvalidParameter', /MaxItems/],
    ['Marker=nobody', { action: 'ListUsers' }, 400, 'InvalidParameter', /Marker/],
    ['UserName=ann', { method: 'PUT' }, 400, 'InvalidParameter', /POST or GET/],
    ['', { body: 'x'.repeat(40_000), type: 'application/x-www-form-urlencoded' }, 400, 'EntityTooLarge', /32768/],
    ['SignatureMethod=HMAC-SHA1&UserName=ann', {}, 400, 'NotSupported', /SignatureVersion/],
  ];
  for (const [query, options, status, code, message] of cases) {
    const answer = await call(query, options);
    assert.deepEqual([answer.status, answer.json['Code']], [status, code], `${query} ${JSON.stringify(answer.json)}`);
    assert.match(String(answer.json['Message']), message);
  }
});
