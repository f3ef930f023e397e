import { accessSync, chmodSync, constants, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../core/base/clock.ts';
import type { TierReport } from '../../core/ports/sandbox.ts';
import type { OciName } from './oci-command.ts';

/** Programs of the host that making sandboxes needs, and the Debian package each comes in. */
const TOOLS: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  nft: 'nftables',
  unshare: 'util-linux',
  'mkfs.ext4': 'e2fsprogs',
};
const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

function installed(name: string): boolean {
  return FOLDERS.some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** What stands in the way before anything was tried; undefined: nothing. */
function obstacle(): string | undefined {
  if (process.platform !== 'linux') return `needs Linux, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'needs root: start Tidemill as root';
  const missing = Object.keys(TOOLS).filter((name) => !installed(name));
  if (missing.length > 0) {
    const packages = [...new Set(missing.map((name) => TOOLS[name]))].join(' ');
    return `${missing.join(', ')} not installed: apt-get install ${packages}`;
  }
  if (!existsSync('/bin/sh')) return 'this host has no /bin/sh';
  return undefined;
}

const COMMANDS: readonly {
  readonly tier: 'container' | 'gvisor';
  readonly names: readonly OciName[];
  remedy: string;
}[] = [
  { tier: 'container', names: ['crun', 'runc'], remedy: 'apt-get install runc' },
  { tier: 'gvisor', names: ['runsc'], remedy: 'apt-get install runsc' },
];

/**
 * Which isolation tiers this host can offer, by trying each. Takes at most 10 s per command, leaves nothing behind, never
 * rejects. Use it before any runtime is created, or with a run folder of its own.
 */
export async function reportTiers(options: {
  readonly clock: Clock;
  readonly idBase: number;
}): Promise<readonly TierReport[]> {
  const reason = obstacle();
  const confined: TierReport[] = [];
  for (const { tier, names, remedy } of COMMANDS) {
    const detail = reason ?? (await tryTier(names, remedy, options));
    confined.push(typeof detail === 'string' ? { tier, available: false, detail } : { tier, ...detail });
  }
  return [
    ...confined,
    { tier: 'isolate', available: false, detail: 'not part of this version of Tidemill' },
    {
      tier: 'process',
      available: process.platform === 'linux',
      detail: 'no confinement at all: functions act with the rights of Tidemill itself; only with --isolation process',
    },
  ];
}

async function tryTier(
  names: readonly OciName[],
  remedy: string,
  options: { readonly clock: Clock; readonly idBase: number },
): Promise<string | { readonly available: true; readonly detail: string }> {
  // Loaded here only: these modules bind to system calls that other platforms do not have.
  const [{ detectCgroups }, { Cgroups }, { seccompProfile }, { RootSkeletons }, { firstWorking }, { imagesRefused }] =
    await Promise.all([
      import('./cgroup-layout.ts'),
      import('./cgroups.ts'),
      import('./seccomp-profile.ts'),
      import('./root-skeleton.ts'),
      import('./probe.ts'),
      import('./disk-images.ts'),
    ]);
  const runDir = mkdtempSync(join(tmpdir(), 'tm-doctor-'));
  try {
    chmodSync(runDir, 0o711);
    const seccomp = seccompProfile(process.arch);
    if (seccomp === undefined) return `there is no system call filter for ${process.arch} processors`;
    const layout = detectCgroups();
    if (typeof layout === 'string') return layout;
    const cgroups = new Cgroups(layout, `/tidemill/doctor-${process.pid}`, options.clock);
    try {
      cgroups.prepare();
      const skeletons = new RootSkeletons(runDir);
      const found = await firstWorking(names, { runDir, cgroups, skeletons, seccomp, idBase: options.idBase });
      if (found.command === undefined) return `${found.refused.join('; ')} (${remedy})`;
      let count = 0;
      const noImages = await imagesRefused({
        imageFolder: join(runDir, 'd'),
        mountFolder: join(runDir, 'd'),
        newName: () => `probe-${count++}`,
      });
      const tmp =
        noImages === undefined
          ? '/tmp on a disk image'
          : `/tmp in memory, counted as function memory, because disk images do not work here (${noImages})`;
      return { available: true, detail: `${found.command.version}, cgroup ${layout.kind}, ${tmp}` };
    } finally {
      cgroups.removeParents();
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    rmSync(runDir, { recursive: true, force: true });
  }
}
