import assert from 'node:assert/strict';
import { chmodSync, chownSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import {
  masterKeyIds,
  openMasterKeyFile,
  retireMasterKeys,
  rotateMasterKeyFile,
} from '../../../src/adapters/master-key-file/index.ts';
import type { MasterKey } from '../../../src/core/ports/master-key.ts';
import { masterKeySuite } from '../../../src/core/ports/master-key.suite.ts';
import { temporaryFolder } from '../temporary-folder.ts';

function opener(context: TestContext, path: string): () => MasterKey {
  return () => {
    const key = openMasterKeyFile(path, { everyMs: 20 });
    context.after(() => key.close());
    return key;
  };
}

masterKeySuite('file', async (context) => {
  const path = join(await temporaryFolder(context), 'master.key');
  return { open: opener(context, path), rotate: () => void rotateMasterKeyFile(path) };
});

test('the file is made for its owner alone, once', async (context) => {
  const path = join(await temporaryFolder(context), 'master.key');
  const open = opener(context, path);
  const first = open();
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(open().current(), first.current());
});

test('a file that others may read, that is not ours, or damaged is refused by name', async (context) => {
  const path = join(await temporaryFolder(context), 'master.key');
  const open = opener(context, path);
  open();
  const secret = /"keys": \{\s*"[^"]+": "([^"]+)"/.exec(readFileSync(path, 'utf8'))?.[1] ?? '';
  assert.equal(secret.length, 44);
  const refused = (says: RegExp): void => {
    assert.throws(open, (error: Error) => {
      assert.match(error.message, says);
      assert.equal(`${error.message}${String(error.cause)}`.includes(secret), false, 'the secret is in no error');
      return true;
    });
  };
  chmodSync(path, 0o640);
  refused(/others may read .*master\.key/);
  chmodSync(path, 0o600);
  if (process.getuid?.() === 0) {
    chownSync(path, 12_345, 0);
    refused(/belongs to the user id 12345/);
    chownSync(path, 0, 0);
  }
  for (const text of ['', '{}', '{"current":"a","keys":{"a":"short"}}', `{"current":"b","keys":{"a":"${secret}"}}`]) {
    writeFileSync(path, text);
    refused(/is damaged/);
  }
});

test('keys that nothing needs can be taken out, the current one never', async (context) => {
  const path = join(await temporaryFolder(context), 'master.key');
  opener(context, path)();
  const [first = ''] = masterKeyIds(path);
  const second = rotateMasterKeyFile(path);
  const third = rotateMasterKeyFile(path);
  assert.deepEqual(masterKeyIds(path), [third, first, second]);
  assert.deepEqual(retireMasterKeys(path, new Set([first])), [second]);
  assert.deepEqual(retireMasterKeys(path, new Set()), [first]);
  assert.deepEqual(masterKeyIds(path), [third]);
});
