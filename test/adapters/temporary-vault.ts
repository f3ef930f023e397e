import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { openMasterKeyFile } from '../../src/adapters/master-key-file/index.ts';
import { openEnvelopeVault } from '../../src/adapters/vault-envelope/index.ts';
import type { Vault } from '../../src/core/ports/vault.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** A vault with keys in `folder`, or in a fresh one; closed when the test is over. */
export async function temporaryVault(test: TestContext, folder?: string): Promise<Vault> {
  const base = folder ?? (await temporaryFolder(test));
  const master = openMasterKeyFile(join(base, 'master.key'));
  const onError = (error: Error): void => assert.fail(error);
  const vault = await openEnvelopeVault({ folder: join(base, 'keys'), master, onError });
  test.after(async () => {
    await vault.close();
    master.close();
  });
  return vault;
}
