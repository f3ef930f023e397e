import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccountQuotas } from '../../../src/core/domain/quota.ts';
import { STANDARD_QUOTAS } from '../../../src/core/domain/quota.ts';
import { AccountUse } from '../../../src/services/control/account-use.ts';
import { DocumentStore } from '../../../src/services/control/document-store.ts';
import { keys } from '../../../src/services/control/keys.ts';
import { ACCOUNT, MemoryStore } from './memory-world.ts';

const OTHER = '2234567890123456';

function world(quotas: Partial<AccountQuotas>) {
  const store = new MemoryStore();
  const documents = new DocumentStore(store, 1_000);
  const numbers = { ...STANDARD_QUOTAS, ...quotas };
  const use = new AccountUse(documents, { of: (account) => (account === ACCOUNT ? numbers : STANDARD_QUOTAS) });
  const code = (digest: string, size: number) => ({ owner: ACCOUNT, digest, checksum: '0', size });
  const put = (key: string, digest: string, size: number) =>
    documents.put(key, { record: { code: code(digest, size) }, layers: [] });
  return { documents, use, code, put };
}

test('functions are counted, and packages once each, whoever wrote them and before whoever asks', async () => {
  const { documents, use, put } = world({});
  await put(keys.function(ACCOUNT, 'f'), 'a', 10);
  await put(keys.version(ACCOUNT, 'f', '1'), 'a', 10);
  await put(keys.layerVersion(ACCOUNT, 'l', 1), 'b', 5);
  await put(keys.function(OTHER, 'f'), 'a', 10);
  assert.deepEqual(await use.of(ACCOUNT), { functions: 1, codeBytes: 15 });
  await put(keys.function(ACCOUNT, 'g'), 'c', 7);
  await put(keys.function(ACCOUNT, 'f'), 'c', 7);
  assert.deepEqual(await use.of(ACCOUNT), { functions: 2, codeBytes: 22 }, 'the version still has a');
  await documents.delete(keys.version(ACCOUNT, 'f', '1'));
  await documents.delete(keys.function(ACCOUNT, 'g'));
  assert.deepEqual(await use.of(ACCOUNT), { functions: 1, codeBytes: 12 });
  assert.deepEqual(await use.of(OTHER), { functions: 1, codeBytes: 10 });
});

test('of two that come at once only one takes the last place, and a failed one gives it back', async () => {
  const { use, code, put } = world({ functions: 1, codeBytes: 20 });
  const add = (name: string, digest: string, size: number) =>
    use.admit(ACCOUNT, { functions: 1, code: code(digest, size) }, async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return put(keys.function(ACCOUNT, name), digest, size);
    });
  const refused = { code: 'LimitExceededError', message: /quota functions/ };
  await assert.rejects(
    use.admit(ACCOUNT, { functions: 1 }, () => Promise.reject(new Error('the disk is full'))),
    /disk is full/,
  );
  const [one, two] = await Promise.allSettled([add('f', 'a', 10), add('g', 'b', 10)]);
  assert.equal(one.status, 'fulfilled');
  assert.ok(two.status === 'rejected');
  assert.throws(() => {
    throw two.reason;
  }, refused);
  const bytes = { code: 'LimitExceededError', message: /quota codeBytes/ };
  await assert.rejects(
    use.admit(ACCOUNT, { code: code('b', 11) }, async () => {}),
    bytes,
  );
  await use.admit(ACCOUNT, { code: code('a', 10) }, async () => {}); // has it already
  await use.admit(ACCOUNT, { code: code('b', 10) }, async () => {});
});
