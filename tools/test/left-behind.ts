import { createHash } from 'node:crypto';
import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { findLeaks } from '../leakcheck.ts';

/**
 * Notes which installation a data folder belongs to while it is there; the function given back tells, once the platform has
 * ended and the folder is gone, what it left on the machine (nothing, or one line each).
 */
export function leftBehind(data: string | undefined): () => Promise<readonly string[]> {
  if (data === undefined) return () => Promise.resolve([]);
  const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
  const { installationId } = JSON.parse(readFileSync(join(data, 'installation.json'), 'utf8')) as {
    installationId: string;
  };
  const runDir = join('/run/tidemill', hash(realpathSync(data)).slice(0, 8));
  return () => findLeaks({ runDir, tag: hash(installationId).slice(0, 6) });
}
