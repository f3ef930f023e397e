import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { profilePath, readConnection } from '../../../../src/apps/cli/api/connection.ts';
import { profilePath as upWritesTo } from '../../../../src/apps/up/client-profile.ts';

const folder = mkdtempSync(join(tmpdir(), 'tidemill-profile-'));
const env = { XDG_CONFIG_HOME: folder };
after(() => rmSync(folder, { recursive: true }));
mkdirSync(dirname(profilePath(env)), { recursive: true });
writeFileSync(
  profilePath(env),
  JSON.stringify({
    endpoint: 'http://127.0.0.1:1',
    objectsEndpoint: 'http://127.0.0.1:2',
    accountId: '1234567890123456',
    region: 'local',
    accessKeyId: 'id',
    accessKeySecret: 'secret',
  }),
);

test('reads the profile where `up` writes it', () => {
  for (const each of [env, { HOME: '/home/x' }, { HOME: '/home/x', XDG_CONFIG_HOME: '/c' }])
    assert.equal(profilePath(each), upWritesTo(each));
  assert.deepEqual(readConnection(env), {
    endpoint: 'http://127.0.0.1:1',
    objectsEndpoint: 'http://127.0.0.1:2',
    key: { id: 'id', secret: 'secret' },
    accountId: '1234567890123456',
    region: 'local',
  });
});

test('variables win over the profile', () => {
  const connection = readConnection({ ...env, TIDEMILL_ACCESS_KEY_ID: 'other', TIDEMILL_ACCESS_KEY_SECRET: 'else' });
  assert.deepEqual(connection.key, { id: 'other', secret: 'else' });
});

test('keys of the profile are never sent to another endpoint', () => {
  assert.throws(() => readConnection({ ...env, TIDEMILL_ENDPOINT: 'http://elsewhere:9527' }), {
    exit: 2,
    message: 'there is no access key for http://elsewhere:9527',
  });
});

test('no platform at all is exit code 3, a malformed endpoint 2', () => {
  assert.throws(() => readConnection({ XDG_CONFIG_HOME: '/nonexistent' }), { exit: 3 });
  assert.throws(() => readConnection({ ...env, TIDEMILL_ENDPOINT: 'localhost:9527' }), { exit: 2 });
});
