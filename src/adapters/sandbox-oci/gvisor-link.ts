import { chownSync, existsSync, lstatSync, mkdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../core/base/clock.ts';
import { delay } from './delay.ts';
import { processStartTime } from './record.ts';
import { INSIDE_ID, INSTANCE_ETC } from './root-skeleton.ts';
import { MS, mount } from './syscalls.ts';

/** Where a gVisor sandbox finds the folder that it shares with the host. */
export const INSTANCE_LINK = `${INSTANCE_ETC}/link`;

const APPEAR_TIMEOUT_MS = 30_000;
const LOOK_MS = 2;
const CODE_LENGTH = 3;

/**
 * Runs first inside: makes the socket that other tiers pass as descriptor 3 (runsc passes none on) and becomes the command.
 * Perl, because it is part of every Debian and starts quickest of what can do this.
 */
const LISTEN = [
  'use Socket; $^F = 9; close STDIN; open STDIN, "</dev/null"; socket(S, PF_UNIX, SOCK_STREAM, 0) or die "socket: $!";',
  `bind(S, sockaddr_un("${INSTANCE_LINK}/s")) or die "bind: $!"; listen(S, 128) or die "listen: $!";`,
  // Said only now: between bind and listen the socket is there and refuses.
  `open(R, ">", "${INSTANCE_LINK}/up") or die "say: $!"; close R;`,
  'if (fileno(S) != 3) { require POSIX; POSIX::dup2(fileno(S), 3); } exec @ARGV; exit 127;',
].join(' ');

/** The command with the socket as its descriptor 3. */
export function listening(args: readonly string[]): string[] {
  return ['/usr/bin/perl', '-e', LISTEN, ...args];
}

/**
 * Makes the shared folder: a file system of its own of 64 KB and a handful of files, so that nothing of the host can be
 * filled from inside. Only its folder `in` is shown inside.
 */
export function makeLink(folder: string, hostId: number): void {
  const path = linkFolder(folder);
  mkdirSync(path);
  mount('tmpfs', path, 'tmpfs', MS.nosuid | MS.nodev | MS.noexec, 'size=64k,nr_inodes=12,mode=711');
  mkdirSync(shownLink(folder), { mode: 0o700 });
  chownSync(shownLink(folder), hostId + INSIDE_ID, hostId + INSIDE_ID);
}

export function linkFolder(folder: string): string {
  return join(folder, 'l');
}

/** What of the link is shown inside. */
export function shownLink(folder: string): string {
  return join(linkFolder(folder), 'in');
}

/**
 * Waits until the socket listens and takes it out of the sandbox's sight, before any code of a function runs: nobody can
 * put a symbolic link to another socket of the host in its place. Rejects when the sandbox ends before.
 */
export async function takeSocket(clock: Clock, folder: string, pid: number): Promise<void> {
  const made = join(shownLink(folder), 's');
  const kept = join(linkFolder(folder), 's');
  const deadline = clock.monotonic() + APPEAR_TIMEOUT_MS;
  while (!existsSync(join(shownLink(folder), 'up'))) {
    if (processStartTime(pid) === undefined) return;
    if (clock.monotonic() > deadline) throw new Error('the sandbox does not listen');
    await delay(clock, LOOK_MS);
  }
  renameSync(made, kept);
  if (!lstatSync(kept).isSocket()) throw new Error('the sandbox made something else than a socket');
  symlinkSync(kept, join(folder, 's'));
}

/** The exit code that the init inside has left; undefined when it did not come to that. Never trusted for more than that. */
export function exitCodeLeft(folder: string): number | undefined {
  const path = join(shownLink(folder), 'code');
  try {
    const stat = lstatSync(path);
    if (!stat.isFile() || stat.size > CODE_LENGTH + 1) return undefined;
    const text = readFileSync(path, 'utf8').trim();
    return /^\d{1,3}$/.test(text) ? Number(text) : undefined;
  } catch {
    return undefined;
  }
}
