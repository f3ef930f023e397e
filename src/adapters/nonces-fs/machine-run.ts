import { readFileSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';

/** Of this run of the machine: another after each boot. Empty where the kernel does not tell. */
export function bootId(path = '/proc/sys/kernel/random/boot_id'): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

/**
 * What a machine that goes down takes with it is what was not synced. `whole`: everything that was given to the operating
 * system is there, because it is the same run of the machine, or the last server closed in order, or there was none.
 */
export async function wasWhole(path: string, boot: string): Promise<boolean> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return true;
  const [before = '', state] = text.split(' ');
  return state === 'closed' || (before === boot && boot !== '');
}

/** Notes that a server writes now (`open`) or that it has synced all it wrote (`closed`). */
export async function note(path: string, boot: string, state: 'open' | 'closed'): Promise<void> {
  await writeFile(`${path}.new`, `${boot} ${state}`, { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
}
