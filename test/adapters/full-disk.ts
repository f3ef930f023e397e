import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const MOUNT_AND_RUN = 'mount -t tmpfs -o size="$1" tidemill-test "$2" && shift 2 && exec "$@"';

/** Why a small disk of our own cannot be mounted here; undefined when it can. */
export const noSmallDisk: string | undefined =
  process.platform === 'linux' && process.getuid?.() === 0 ? undefined : 'needs root on Linux to mount a small disk';

/**
 * Runs a script in a mount namespace of its own where `dir` is an empty disk of `size` (`2m`). The mount ends with the
 * process. Resolves with what the script prints, as JSON; its last argument is `dir`.
 */
export async function onSmallDisk(script: URL, dir: string, size: string): Promise<unknown> {
  const args = ['--mount', 'sh', '-c', MOUNT_AND_RUN, 'sh', size, dir, process.execPath, script.pathname, dir];
  const { stdout } = await promisify(execFile)('unshare', args, { timeout: 60_000 });
  return JSON.parse(stdout);
}
