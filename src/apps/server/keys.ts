import { join } from 'node:path';
import { openMasterKeyFile } from '../../adapters/master-key-file/index.ts';
import { openEnvelopeVault } from '../../adapters/vault-envelope/index.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Vault } from '../../core/ports/vault.ts';
import type { ServerSettings } from './settings.ts';

export interface Keys {
  readonly vault: Vault;
  close(): Promise<void>;
}

/** The master key of the settings and the vault below it. Throws when the key file is not as strict as it must be. */
export async function openKeys(settings: Pick<ServerSettings, 'data' | 'masterKey'>, logger: Logger): Promise<Keys> {
  const master = openMasterKeyFile(settings.masterKey);
  const vault = await openEnvelopeVault({
    folder: join(settings.data, 'keys'),
    master,
    onError: (error) => logger.log('error', 'data keys could not be wrapped anew', { error: error.message }),
    onRewrapped: (accounts) => logger.log('warn', 'data keys are wrapped under the new master key', { accounts }),
  });
  return {
    vault,
    async close() {
      await vault.close();
      master.close();
    },
  };
}
