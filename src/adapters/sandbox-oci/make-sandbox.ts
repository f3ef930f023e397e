import { chownSync, closeSync, constants, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SandboxSpec } from '../../core/ports/sandbox.ts';
import { ID_RANGE, ociConfig } from './bundle.ts';
import { makeLink, shownLink, takeSocket } from './gvisor-link.ts';
import type { Disk } from './disk-images.ts';
import { resolvConf, writeNameFiles } from './name-service.ts';
import type { NetworkSlot } from './network-slots.ts';
import { startBundle } from './oci-command.ts';
import { OutputPipe } from './output-pipe.ts';
import type { SandboxParts } from './parts.ts';
import { processStartTime, type SandboxRecord } from './record.ts';
import { mountFolders, removeRemains } from './remains.ts';
import { INSIDE_ID, INSTANCE_ETC } from './root-skeleton.ts';
import { OciSandbox, showMounts } from './sandbox.ts';
import { listenUnix, MS, mkfifo, mount } from './syscalls.ts';

const BACKLOG = 128;
const HOSTNAME_LENGTH = 63;
const ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

/** Makes and starts one sandbox. Rejects leaving nothing behind. `prepareEtc` may add to the folder seen at INSTANCE_ETC. */
export async function makeSandbox(
  parts: SandboxParts,
  spec: SandboxSpec,
  onGone: () => void,
  prepareEtc?: (etcPath: string) => void,
): Promise<OciSandbox> {
  if (!ID.test(spec.id)) throw new Error(`"${spec.id}" cannot name a sandbox`);
  let record: SandboxRecord = {
    format: 1,
    id: spec.id,
    phase: 'making',
    listen: spec.listen,
    specialised: spec.mounts.length > 0,
  };
  parts.records.create(record);
  let output: OutputPipe | undefined;
  try {
    const { disk, slot } = await takeParts(parts, spec);
    record = { ...record, slot: slot.number, address: slot.address, disk: disk.name };
    parts.records.write(record);
    const folder = parts.records.folderOf(spec.id);
    writeBundle(parts, spec, folder, disk, slot);
    prepareEtc?.(etcFolder(folder));
    await parts.slots.setEgress(slot.number, spec.internetAccess, spec.account);
    const fifo = join(folder, 'out');
    mkfifo(fifo, 0o600);
    chownSync(fifo, hostIdOf(parts, slot) + INSIDE_ID, hostIdOf(parts, slot) + INSIDE_ID);
    // Readable and writable at once: the sandbox keeps its own reader, so writing never fails for want of one.
    const writer = openSync(fifo, constants.O_RDWR);
    try {
      output = new OutputPipe(fifo, parts.clock);
      const pid = await start(parts, spec, folder, writer);
      const startTime = processStartTime(pid);
      const running = { ...record, phase: 'running' as const, pid, ...(startTime === undefined ? {} : { startTime }) };
      parts.records.write(running);
      if (isGvisor(parts) && spec.listen === 'frames') await takeSocket(parts.clock, folder, pid);
      // A process that is gone already has no group to look into: its end is told by `exited`.
      if (startTime !== undefined) verifyLimits(parts, spec, pid);
      return OciSandbox.follow(parts, running, output, onGone);
    } finally {
      closeSync(writer);
    }
  } catch (error) {
    output?.close();
    await removeRemains(parts, spec.id);
    throw error;
  }
}

/** The folder of the host that a sandbox sees at INSTANCE_ETC. */
export function etcFolder(folder: string): string {
  return join(folder, 'etc');
}

/** Whether the bundles run under runsc, which sees the host through other eyes than a container does. */
function isGvisor(parts: SandboxParts): boolean {
  return parts.command.name === 'runsc';
}

function verifyLimits(parts: SandboxParts, spec: SandboxSpec, pid: number): void {
  try {
    parts.cgroups.verify(spec.id, spec.limits, pid);
  } catch (error) {
    if (processStartTime(pid) !== undefined) throw error;
  }
}

/** First host id of a sandbox: every slot has a range of its own, so no two sandboxes share a user on the host. */
function hostIdOf(parts: SandboxParts, slot: NetworkSlot): number {
  return parts.idBase + slot.number * ID_RANGE;
}

async function takeParts(parts: SandboxParts, spec: SandboxSpec): Promise<{ disk: Disk; slot: NetworkSlot }> {
  const [disk, slot] = await Promise.allSettled([parts.disks.take(spec.diskMb), parts.slots.take()]);
  if (disk.status === 'fulfilled' && slot.status === 'fulfilled') return { disk: disk.value, slot: slot.value };
  if (disk.status === 'fulfilled') await parts.disks.remove(disk.value.name);
  if (slot.status === 'fulfilled') parts.slots.remove(slot.value.number);
  throw disk.status === 'rejected' ? disk.reason : (slot as PromiseRejectedResult).reason;
}

function writeBundle(parts: SandboxParts, spec: SandboxSpec, folder: string, disk: Disk, slot: NetworkSlot): void {
  const hostname = spec.id.replaceAll(/[_.]/g, '-').slice(0, HOSTNAME_LENGTH);
  const etcPath = etcFolder(folder);
  const gateway = parts.network.subnet.gateway;
  writeNameFiles(etcPath, hostname, slot.address, resolvConf(spec.dns, spec.internetAccess, gateway));
  const mounts = mountFolders(folder);
  mkdirSync(mounts.shared, { mode: 0o711 });
  const boot = spec.boot.map((entry) => ({ ...parts.bootSources.attach(entry.source), target: entry.target }));
  const skeleton = parts.skeletons.pathFor(boot.map(({ target, isFile }) => ({ target, isFile })));
  const gvisor = isGvisor(parts);
  // runsc sees later mounts only below its root: there the whole root is this sandbox's own mount.
  mount(gvisor ? skeleton : mounts.shared, mounts.shared, null, MS.bind, null);
  // Private first: a peer group of its own, not that of the file system it was bound from.
  mount('none', mounts.shared, null, MS.private, null);
  mount('none', mounts.shared, null, MS.shared, null);
  if (gvisor) {
    mkdirSync(join(etcPath, 'link'));
    mount(etcPath, join(mounts.shared, INSTANCE_ETC), null, MS.bind, null);
    makeLink(folder, hostIdOf(parts, slot));
  } else {
    mkdirSync(mounts.code);
    mkdirSync(mounts.opt);
  }
  showMounts(folder, spec.mounts);
  const config = ociConfig({
    rootPath: gvisor ? mounts.shared : skeleton,
    args: spec.process.args,
    env: spec.process.env,
    cwd: spec.process.cwd,
    hostname,
    hostId: hostIdOf(parts, slot),
    network: slot.path,
    cgroupsPath: parts.cgroups.pathOf(spec.id),
    resources: parts.cgroups.resources(spec.limits),
    seccomp: parts.seccomp,
    openFiles: parts.openFiles,
    etcPath,
    tmpPath: disk.path,
    codePath: mounts.code,
    optPath: mounts.opt,
    boot: boot.map(({ path, target }) => ({ source: path, target })),
    init: parts.init,
    gvisor: gvisor ? { link: shownLink(folder), listen: spec.listen === 'frames' } : undefined,
  });
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config), { mode: 0o600 });
}

async function start(parts: SandboxParts, spec: SandboxSpec, folder: string, output: number): Promise<number> {
  const passed = spec.listen === 'frames' && !isGvisor(parts);
  const listener = passed ? listenUnix(join(folder, 's'), BACKLOG) : undefined;
  try {
    return await startBundle(parts.command, {
      id: spec.id,
      stateDir: parts.stateDir,
      bundle: folder,
      output,
      listener,
    });
  } finally {
    if (listener !== undefined) closeSync(listener);
  }
}
