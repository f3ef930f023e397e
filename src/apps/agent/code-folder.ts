import { join } from 'node:path';
import { openEncryptedDisk } from '../../adapters/sandbox-oci/encrypted-disk.ts';
import type { Logger } from '../../core/base/log.ts';
import type { AgentSettings } from './settings.ts';

export interface CodeFolderPlace {
  readonly folder: string;
  /** Gives back what the folder takes of the host beside its files. */
  remove(): Promise<void>;
}

/** Unpacking needs room beside what the budget counts: what is on its way in, and the file system's own. */
const ROOM = 1.25;

/** Where code is unpacked: encrypted on disk where this host can do that, else in the clear, which is logged. */
export async function openCodeFolder(
  settings: Pick<AgentSettings, 'data' | 'isolation' | 'tuning'>,
  logger: Logger,
): Promise<CodeFolderPlace> {
  const mountPoint = join(settings.data, 'code');
  const plain = { folder: mountPoint, remove: () => Promise.resolve() };
  if (settings.isolation === 'process') return plain; // plain processes run without the rights to mount
  try {
    const bytes = Math.floor(settings.tuning.codeBytes * ROOM);
    return await openEncryptedDisk({ mountPoint, image: join(settings.data, 'code.img'), bytes });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    logger.log('warn', 'unpacked code lies on this disk in the clear: it cannot be encrypted here', { error: message });
    return plain;
  }
}
