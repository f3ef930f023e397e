import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Clock } from '../../core/base/clock.ts';
import type { Logger } from '../../core/base/log.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type {
  BareSandbox,
  BareSpec,
  SandboxHandle,
  SandboxRuntime,
  SandboxSpec,
  SandboxTier,
} from '../../core/ports/sandbox.ts';
import { bareRefused, makeWaitingPipe, WAITING, whenWaiting } from './bare-sandbox.ts';
import { BootSources } from './boot-sources.ts';
import { detectCgroups } from './cgroup-layout.ts';
import { Cgroups } from './cgroups.ts';
import { DiskImages, imagesRefused } from './disk-images.ts';
import { endOldSessions } from './exec-process.ts';
import { type EgressLists, NO_LISTS } from './egress-lists.ts';
import { ExitWatch } from './exit-watch.ts';
import { etcFolder, makeSandbox } from './make-sandbox.ts';
import { Network } from './network.ts';
import { NetworkSlots } from './network-slots.ts';
import type { OciName } from './oci-command.ts';
import { OutputPipe } from './output-pipe.ts';
import type { SandboxParts } from './parts.ts';
import { firstWorking } from './probe.ts';
import { runscCall, sentryThreads } from './runsc.ts';
import { processStartTime, SandboxRecords } from './record.ts';
import { removeRemains } from './remains.ts';
import { RootSkeletons } from './root-skeleton.ts';
import { OciSandbox } from './sandbox.ts';
import { seccompProfile } from './seccomp-profile.ts';
import type { TrafficLimits } from './traffic-limits.ts';

export interface OciRuntimeOptions {
  /** Short (Unix socket paths), mode 0711, ours alone. */
  readonly runDir: string;
  /** Where images of private /tmp folders lie: on a real disk with room for what functions write. Default RUN/d. */
  readonly diskDir?: string;
  /** Tells installations on one machine apart: names bridge, firewall tables and control groups. */
  readonly installationId: string;
  /** First host user and group id that sandboxes may use; up to 4095 ranges of 65,536 from here. */
  readonly idBase: number;
  /** TCP ports of the platform that sandboxes may call at `gateway`. */
  readonly platformPorts: readonly number[];
  /**
   * Where the platform listens on these ports: an IPv4 address, `localhost`, or a wildcard. Calls to the gateway are
   * redirected there. Default 127.0.0.1.
   */
  readonly platformHost?: string;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Which command runs the bundles; `auto` takes crun or runc, whichever works. `runsc` makes this the gvisor tier. */
  readonly oci?: 'auto' | OciName;
  /** Where that command is looked for. Default: where hosts keep their programs. */
  readonly commandFolders?: readonly string[] | undefined;
  /** Network namespaces and /tmp folders (of each size in use) kept ready. Default 2. */
  readonly networkPool?: number;
  /** What one sandbox may take of the network. Default: the table of limits. */
  readonly traffic?: Partial<TrafficLimits>;
  /** Where sandboxes of which account may go. Default: every public address. */
  readonly egress?: EgressLists;
}

const DEFAULT_POOL = 2;
const TRAFFIC: TrafficLimits = {
  connections: LIMITS.connectionsPerInstance,
  newConnectionsPerSecond: LIMITS.newConnectionsPerInstanceSecond,
  lookupsPerSecond: LIMITS.lookupsPerInstanceSecond,
  bytesPerSecond: LIMITS.bandwidthPerInstanceBytes,
};
const MAX_ID_BASE = 2 ** 32 - 4096 * 65_536;
const OPEN_FILES = 65_536;
const TOOL_MS = 10_000;

/** Six hexadecimal digits that stand for an installation in the names of kernel objects. */
export function installationTag(installationId: string): string {
  return createHash('sha256').update(installationId).digest('hex').slice(0, 6);
}

/**
 * Sandboxes as OCI containers: crun or runc (tier `container`) or runsc (tier `gvisor`). Rejects when this host cannot
 * confine functions, saying why; see `reportTiers`.
 */
export async function createOciRuntime(options: OciRuntimeOptions): Promise<OciRuntime> {
  if (!(options.idBase > 0 && options.idBase <= MAX_ID_BASE))
    throw new Error(`idBase ${options.idBase} is out of range`);
  const seccomp = seccompProfile(process.arch);
  if (seccomp === undefined) throw new Error(`there is no system call filter for ${process.arch} processors`);
  const layout = detectCgroups();
  if (typeof layout === 'string') throw new Error(layout);
  const { runDir, clock, logger } = options;
  const tag = installationTag(options.installationId);
  // Sandboxes are other users: what is made for them must not depend on who started the platform with which mask.
  process.umask(0o022);
  mkdirSync(runDir, { recursive: true, mode: 0o711 });
  const cgroups = new Cgroups(layout, `/tidemill/${tag}`, clock, options.oci === 'runsc' ? sentryThreads : undefined);
  cgroups.prepare();
  const skeletons = new RootSkeletons(runDir);
  const wanted: readonly OciName[] = (options.oci ?? 'auto') === 'auto' ? ['crun', 'runc'] : [options.oci as OciName];
  const chosen = await firstWorking(wanted, {
    runDir,
    cgroups,
    skeletons,
    seccomp,
    idBase: options.idBase,
    commandFolders: options.commandFolders,
  });
  if (chosen.command === undefined) throw new Error(`no OCI runtime works on this host: ${chosen.refused.join('; ')}`);
  for (const reason of chosen.refused) logger.log('info', 'OCI runtime refused', { reason });
  const network = await Network.open({
    runDir,
    tag,
    platformPorts: options.platformPorts,
    platformHost: options.platformHost,
    limits: { ...TRAFFIC, ...options.traffic },
    egress: options.egress ?? NO_LISTS,
    clock,
  });
  const depth = options.networkPool ?? DEFAULT_POOL;
  const onRefillError = (error: unknown): void =>
    logger.log('warn', 'a sandbox part could not be made ahead', { error: String(error) });
  const stateDir = join(runDir, 'oci');
  mkdirSync(stateDir, { recursive: true, mode: 0o711 });
  const command =
    chosen.command.name === 'runsc'
      ? {
          ...chosen.command,
          call: await runscCall(chosen.command.file, runDir, { network: 'sandbox', timeoutMs: TOOL_MS }),
        }
      : chosen.command;
  const parts: SandboxParts = {
    command,
    stateDir,
    records: new SandboxRecords(runDir),
    cgroups,
    disks: await openDisks(options, depth, onRefillError),
    network,
    slots: new NetworkSlots({ network, runDir, depth, onRefillError }),
    skeletons,
    bootSources: new BootSources(runDir),
    exits: new ExitWatch(),
    seccomp,
    idBase: options.idBase,
    openFiles: openFilesLimit(),
    init: hasSmallShell(),
    clock,
    logger,
  };
  logger.log('info', 'sandboxes ready', {
    runtime: chosen.command.version,
    cgroups: layout.kind,
    subnet: network.subnet.cidr,
  });
  return new OciRuntime(parts, runDir);
}

async function openDisks(
  options: OciRuntimeOptions,
  depth: number,
  onRefillError: (error: unknown) => void,
): Promise<DiskImages> {
  const mountFolder = join(options.runDir, 'd');
  const imageFolder = options.diskDir ?? mountFolder;
  let count = 0;
  const newName = (): string => `${process.pid}-${Math.floor(options.clock.now()).toString(36)}-${count++}`;
  const refused = await imagesRefused({ imageFolder, mountFolder, newName });
  if (refused !== undefined) {
    options.logger.log('warn', 'private /tmp folders are kept in memory: they count against function memory', {
      reason: refused,
    });
  }
  const kind = refused === undefined ? 'image' : 'memory';
  return new DiskImages({ imageFolder, mountFolder, kind, depth, newName, onRefillError });
}

/** The hard limit of this process, which is all a child can get, up to what a function may need. */
function openFilesLimit(): number {
  const match = /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  return Math.min(OPEN_FILES, match === null ? 1024 : Number(match[1]));
}

/** dash is a good enough init: a few hundred KB, collects every orphan. Larger shells cost more than they give. */
function hasSmallShell(): boolean {
  return existsSync('/bin/sh') && ['dash', 'busybox'].includes(basename(realpathSync('/bin/sh')));
}

/** See `createOciRuntime`. */
export class OciRuntime implements SandboxRuntime {
  readonly tier: SandboxTier;
  /** The platform's address as sandboxes see it. */
  readonly gateway: string;
  private readonly parts: SandboxParts;
  private readonly runDir: string;
  private readonly live = new Map<string, OciSandbox>();
  private readonly making = new Set<string>();

  constructor(parts: SandboxParts, runDir: string) {
    this.parts = parts;
    this.runDir = runDir;
    this.tier = parts.command.name === 'runsc' ? 'gvisor' : 'container';
    this.gateway = parts.network.subnet.gateway;
    parts.slots.refill();
  }

  create(spec: SandboxSpec): Promise<SandboxHandle> {
    return this.make(spec);
  }

  /** Sandboxes whose process is named later. runsc does not pass the host's pipes on: undefined there. */
  get createBare(): SandboxRuntime['createBare'] {
    if (this.tier !== 'container' || bareRefused() !== undefined) return undefined;
    return (spec) => this.makeBare(spec);
  }

  private async makeBare(spec: BareSpec): Promise<BareSandbox> {
    const handle = await this.make({ ...spec, process: WAITING, mounts: [] }, makeWaitingPipe);
    try {
      return await whenWaiting(this.parts.clock, handle, etcFolder(this.parts.records.folderOf(spec.id)));
    } catch (error) {
      await handle.destroy();
      throw error;
    }
  }

  private async make(spec: SandboxSpec, prepareEtc?: (etcPath: string) => void): Promise<SandboxHandle> {
    this.making.add(spec.id);
    try {
      const sandbox = await makeSandbox(this.parts, spec, () => this.live.delete(spec.id), prepareEtc);
      this.live.set(spec.id, sandbox);
      return sandbox;
    } finally {
      this.making.delete(spec.id);
    }
  }

  /** Replaces the set of TCP ports that sandboxes may call at `gateway`. */
  async setPlatformPorts(ports: readonly number[]): Promise<void> {
    await this.parts.network.setPlatformPorts(ports);
  }

  async adopt(): Promise<readonly SandboxHandle[]> {
    for (const id of this.parts.records.ids()) {
      if (this.live.has(id) || this.making.has(id)) continue;
      const found = this.find(id);
      if (found === undefined) await removeRemains(this.parts, id);
      else {
        this.live.set(id, found);
        await endOldSessions(this.parts, id);
      }
    }
    await this.removeStrays();
    return [...this.live.values()];
  }

  /** The sandbox of a record, if it still runs. */
  private find(id: string): OciSandbox | undefined {
    const record = this.parts.records.read(id);
    if (record === undefined || record.phase !== 'running' || record.pid === undefined) return undefined;
    if (record.startTime === undefined || processStartTime(record.pid) !== record.startTime) return undefined;
    const output = new OutputPipe(join(this.parts.records.folderOf(id), 'out'), this.parts.clock);
    return OciSandbox.follow(this.parts, { ...record, pid: record.pid }, output, () => this.live.delete(id));
  }

  /** Removes what an earlier process had made ready or half made, and what no record knows. */
  private async removeStrays(): Promise<void> {
    const { records, cgroups, slots, disks, stateDir } = this.parts;
    const ids = new Set(records.ids());
    const known = [...ids].map((id) => records.read(id));
    for (const id of cgroups.list()) if (!ids.has(id)) await cgroups.remove(id);
    slots.removeStrays(new Set(known.flatMap((record) => record?.slot ?? [])));
    await disks.removeStrays(new Set(known.flatMap((record) => record?.disk ?? [])));
    for (const id of readdirSync(stateDir)) {
      if (!ids.has(id)) rmSync(join(stateDir, id), { recursive: true, force: true });
    }
  }

  async close(options: { keepNetwork: boolean }): Promise<void> {
    const { slots, disks, exits, network, cgroups, bootSources } = this.parts;
    // Whoever ended them has seen to their remains; what that could not remove then is tried once more.
    if (!options.keepNetwork) await Promise.allSettled([...this.live.values()].map((sandbox) => sandbox.destroy()));
    await slots.close();
    await disks.close();
    exits.dispose();
    for (const sandbox of this.live.values()) sandbox.release();
    if (options.keepNetwork) return;
    await network.remove();
    if (this.live.size > 0) return;
    bootSources.clear();
    cgroups.removeParents();
    for (const name of ['b', 'd', 'g', 'i', 'n', 'r', 'oci', 'network.json']) {
      rmSync(join(this.runDir, name), { recursive: true, force: true });
    }
  }
}
