import { createHash } from 'node:crypto';
import { accessSync, constants, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * The folder for sockets and other things that need not survive a reboot. Short, because socket paths have at most 107
 * bytes; searchable by all, because sandboxes have user ids of their own; one for each data folder.
 */
export function openRunDir(data: string): string {
  const name = createHash('sha256').update(data).digest('hex').slice(0, 8);
  const base = join(writable('/run') ? '/run' : tmpdir(), 'tidemill');
  mkdirSync(base, { recursive: true, mode: 0o711 });
  const folder = join(base, name);
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  return folder;
}

/** Removes the folder once server and agent have ended in order; one that still has mounts in it is left for the next start. */
export function removeRunDir(folder: string): void {
  const mounted = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[4]?.startsWith(`${folder}/`));
  if (!mounted) rmSync(folder, { recursive: true, force: true });
}

function writable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
