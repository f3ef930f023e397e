import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { SandboxParts } from './parts.ts';
import { processState, type SandboxRecord } from './record.ts';
import { linkFolder } from './gvisor-link.ts';
import { INSTANCE_ETC } from './root-skeleton.ts';
import { detach, detachInBackground, reap } from './syscalls.ts';

/** Host folders whose mounts a sandbox sees: below one mount of their own, so that nothing else travels with them. */
export function mountFolders(folder: string): { readonly shared: string; readonly code: string; readonly opt: string } {
  const shared = join(folder, 'm');
  return { shared, code: join(shared, 'code'), opt: join(shared, 'opt') };
}

/**
 * Takes away everything a sandbox may have left, whatever state it was in: processes, control groups, mounts, disk,
 * network, the OCI runtime's state, files; its record last, so that an interrupted removal is found and repeated.
 */
export async function removeRemains(parts: SandboxParts, id: string): Promise<void> {
  const record = parts.records.read(id);
  const folder = parts.records.folderOf(id);
  if (record?.phase === 'making') killStarter(folder);
  await parts.cgroups.remove(id);
  if (record !== undefined) collect(record);
  const mounts = mountFolders(folder);
  // Every unmount waits until all CPUs have let go of the mount (and of the network): many sandboxes share such a wait when
  // it is not the event loop that waits. What is mounted below the shared folder goes with it.
  const gone = await Promise.allSettled([
    detachInBackground(mounts.shared),
    detachInBackground(linkFolder(folder)),
    record?.slot === undefined ? undefined : parts.slots.removeInBackground(record.slot),
    record?.disk === undefined ? undefined : parts.disks.remove(record.disk),
  ]);
  for (const part of gone) if (part.status === 'rejected') throw part.reason;
  // Nothing is deleted through a mount, whatever a half-made sandbox looked like; where none is left this costs nothing.
  for (const path of [mounts.code, mounts.opt, join(mounts.shared, INSTANCE_ETC)]) detach(path);
  rmSync(join(parts.stateDir, id), { recursive: true, force: true });
  parts.records.remove(id);
}

/** A main process that ended while no agent lived may have become our child: nobody else collects it. */
function collect(record: SandboxRecord): void {
  if (record.pid === undefined) return;
  const state = processState(record.pid);
  if (state?.dead === true && state.startTime === record.startTime) reap(record.pid);
}

/** Ends a runtime command that is still starting this bundle: it could make processes after we have looked. */
function killStarter(bundle: string): void {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const args = readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0');
      if (args.includes(bundle) && args.includes('--bundle')) process.kill(Number(entry), 'SIGKILL');
    } catch {
      // The process ended while we looked.
    }
  }
}
