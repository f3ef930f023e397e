import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../core/base/clock.ts';
import type { SandboxLimits, SandboxStats } from '../../core/ports/sandbox.ts';
import type { CgroupLayout } from './cgroup-layout.ts';
import { delay } from './delay.ts';
import { reap } from './syscalls.ts';

const MIB = 1024 * 1024;
const PERIOD_MICROS = 100_000;
const REMOVE_DEADLINE_MS = 5_000;

/** The `linux.resources` of an OCI bundle. */
export interface OciResources {
  readonly memory: { readonly limit: number; readonly swap?: number; readonly swappiness?: number };
  readonly cpu: { readonly quota: number; readonly period: number; readonly shares?: number };
  /** Version 2 only: files of the group and what is written into them. */
  readonly unified?: Readonly<Record<string, string>>;
  readonly pids: { readonly limit: number };
  readonly devices: readonly { readonly allow: boolean; readonly access: string }[];
}

/** The control groups of this installation: `/tidemill/<installation>/<sandbox>` in every hierarchy. */
export class Cgroups {
  readonly layout: CgroupLayout;
  private readonly parent: string;
  private readonly clock: Clock;
  /** How many threads of the host a limit of processes inside comes to. */
  private readonly threads: (pids: number) => number;

  constructor(layout: CgroupLayout, parent: string, clock: Clock, threads = (pids: number): number => pids) {
    this.threads = threads;
    this.layout = layout;
    this.parent = parent;
    this.clock = clock;
  }

  /** The group's path as an OCI runtime wants it (`linux.cgroupsPath`). */
  pathOf(id: string): string {
    return `${this.parent}/${id}`;
  }

  private file(controller: keyof CgroupLayout['controllers'], id: string, name: string): string {
    return join(this.layout.controllers[controller], this.parent, id, name);
  }

  /** Limits as the bundle carries them; the runtime writes them before the first instruction of the function. */
  resources(limits: SandboxLimits): OciResources {
    const bytes = limits.memoryMb * MIB;
    const swap = this.limitsSwap() ? { swap: bytes } : { swappiness: 0 };
    const v2 = this.layout.kind === 'v2';
    const weight = cpuWeight(limits, v2);
    return {
      memory: v2 && !this.limitsSwap() ? { limit: bytes } : { limit: bytes, ...swap },
      cpu: { quota: quotaMicros(limits.cpu), period: PERIOD_MICROS, ...(v2 ? {} : { shares: weight }) },
      ...(v2 ? { unified: { 'cpu.weight': String(weight) } } : {}),
      pids: { limit: this.threads(limits.pids) },
      devices: [{ allow: false, access: 'rwm' }],
    };
  }

  private limitsSwap(): boolean {
    if (this.layout.kind === 'v2')
      return existsSync(join(this.layout.controllers.memory, this.parent, 'memory.swap.max'));
    return existsSync(join(this.layout.controllers.memory, 'memory.memsw.limit_in_bytes'));
  }

  /** Throws unless the kernel now holds exactly these limits for the group and `pid` is inside. */
  verify(id: string, limits: SandboxLimits, pid: number): void {
    const v2 = this.layout.kind === 'v2';
    const memory = Number(this.read('memory', id, v2 ? 'memory.max' : 'memory.limit_in_bytes'));
    const quota = Number(this.read('cpu', id, v2 ? 'cpu.max' : 'cpu.cfs_quota_us').split(' ')[0]);
    const pids = Number(this.read('pids', id, 'pids.max'));
    if (!(memory <= limits.memoryMb * MIB)) throw new Error(`the memory limit of ${id} does not bind (${memory})`);
    if (!(quota > 0 && quota <= quotaMicros(limits.cpu))) throw new Error(`the CPU limit of ${id} does not bind`);
    if (!(pids <= this.threads(limits.pids))) throw new Error(`the process limit of ${id} does not bind (${pids})`);
    for (const controller of ['memory', 'cpu', 'pids'] as const) {
      if (!this.read(controller, id, 'cgroup.procs').split('\n').includes(String(pid))) {
        throw new Error(`process ${pid} of ${id} is not in its ${controller} group`);
      }
    }
  }

  private read(controller: keyof CgroupLayout['controllers'], id: string, name: string): string {
    return readFileSync(this.file(controller, id, name), 'utf8').trim();
  }

  /** Changes the limits of a running group. Throws when the kernel refuses, e.g. memory below what is in use. */
  setLimits(id: string, limits: SandboxLimits): void {
    const bytes = String(limits.memoryMb * MIB);
    const set = (controller: keyof CgroupLayout['controllers'], name: string, value: string): void =>
      writeFileSync(this.file(controller, id, name), value);
    if (this.layout.kind === 'v2') {
      set('memory', 'memory.max', bytes);
      set('cpu', 'cpu.max', `${quotaMicros(limits.cpu)} ${PERIOD_MICROS}`);
    } else {
      const files = ['memory.limit_in_bytes'];
      if (this.limitsSwap()) files.push('memory.memsw.limit_in_bytes');
      // The kernel insists that memory <= memory + swap at every moment: raise the sum first, lower it last.
      const raising = Number(this.read('memory', id, 'memory.limit_in_bytes')) < Number(bytes);
      for (const name of raising ? files.reverse() : files) set('memory', name, bytes);
      set('cpu', 'cpu.cfs_quota_us', String(quotaMicros(limits.cpu)));
    }
    const v2 = this.layout.kind === 'v2';
    set('cpu', v2 ? 'cpu.weight' : 'cpu.shares', String(cpuWeight(limits, v2)));
    set('pids', 'pids.max', String(this.threads(limits.pids)));
  }

  /** Stops or resumes every process of the group. Throws where there is no freezer, or no such group. */
  setFrozen(id: string, frozen: boolean): void {
    const { freezer, kind } = this.layout;
    if (freezer === undefined) throw new Error('this host has no control group freezer');
    const group = join(freezer, this.parent, id);
    if (kind === 'v2') writeFileSync(join(group, 'cgroup.freeze'), frozen ? '1' : '0');
    else writeFileSync(join(group, 'freezer.state'), frozen ? 'FROZEN' : 'THAWED');
  }

  /** Lets the group run, if it is there and frozen. A frozen group of version 1 does not even die. */
  thaw(id: string): void {
    try {
      this.setFrozen(id, false);
    } catch {
      // No freezer or no group: nothing is frozen.
    }
  }

  /** Takes file pages of the group away. The kernel gives what it can: less than asked for is no failure. */
  reclaim(id: string): void {
    const [name, value] =
      this.layout.kind === 'v2'
        ? ['memory.reclaim', this.read('memory', id, 'memory.current')]
        : ['memory.force_empty', '0'];
    try {
      writeFileSync(this.file('memory', id, name), value);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EAGAIN' && code !== 'EBUSY') throw error;
    }
  }

  stats(id: string): SandboxStats {
    const v2 = this.layout.kind === 'v2';
    const usage = Number(this.read('memory', id, v2 ? 'memory.current' : 'memory.usage_in_bytes'));
    const inactive = numberIn(this.read('memory', id, 'memory.stat'), v2 ? 'inactive_file' : 'total_inactive_file');
    const peakFile = v2 ? 'memory.peak' : 'memory.max_usage_in_bytes';
    const peak = existsSync(this.file('memory', id, peakFile)) ? Number(this.read('memory', id, peakFile)) : usage;
    return {
      // Page cache that nobody needs is not the function's memory.
      memoryBytes: Math.max(0, usage - inactive),
      memoryPeakBytes: peak,
      cpuMicros: v2
        ? numberIn(this.read('cpu', id, 'cpu.stat'), 'usage_usec')
        : Math.round(Number(this.read('cpuacct', id, 'cpuacct.usage')) / 1000),
      processes: Number(this.read('pids', id, 'pids.current')),
    };
  }

  /**
   * Makes a group inside the sandbox's one, for what is started in it later: everything that counts stays with the sandbox, only
   * its processes can be told apart. Returns its path as `exec --cgroup` of an OCI runtime wants it.
   */
  openInner(id: string, name: string): string {
    mkdirSync(this.file('pids', id, name));
    return this.layout.kind === 'v2' ? name : `pids:${name}`;
  }

  /** Names of the inner groups; none when the sandbox is gone. */
  innerNames(id: string): readonly string[] {
    try {
      const entries = readdirSync(this.file('pids', id, ''), { withFileTypes: true });
      return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    } catch {
      return [];
    }
  }

  /** Kills what is in an inner group and removes it; what would join it later cannot. Answers whom it killed. Rejects after 5 s. Idempotent. */
  async closeInner(id: string, name: string): Promise<ReadonlySet<number>> {
    const killed = new Set<number>();
    const folder = this.file('pids', id, name);
    const deadline = this.clock.monotonic() + REMOVE_DEADLINE_MS;
    while (!removeGroup(folder)) {
      if (this.clock.monotonic() > deadline) throw new Error(`control group ${folder} cannot be removed`);
      try {
        // Nothing in it may fork any more: killing one by one comes to an end.
        if (this.layout.kind === 'v2') writeFileSync(join(folder, 'cgroup.kill'), '1');
        else writeFileSync(join(folder, 'pids.max'), '0');
      } catch {
        // It went away meanwhile.
      }
      killGroup(folder, killed);
      await delay(this.clock, 2);
    }
    return killed;
  }

  /** How many processes of the group the kernel has killed for lack of memory; 0 when the group is gone. */
  oomKills(id: string): number {
    try {
      const v2 = this.layout.kind === 'v2';
      return numberIn(this.read('memory', id, v2 ? 'memory.events' : 'memory.oom_control'), 'oom_kill');
    } catch {
      return 0;
    }
  }

  /** Ids of all groups of this installation that exist in any hierarchy. */
  list(): Set<string> {
    const ids = new Set<string>();
    for (const hierarchy of this.layout.hierarchies) {
      const folder = join(hierarchy, this.parent);
      if (!existsSync(folder)) continue;
      for (const entry of readdirSync(folder, { withFileTypes: true })) if (entry.isDirectory()) ids.add(entry.name);
    }
    return ids;
  }

  /** Kills whatever is left in the group and removes it from every hierarchy. Idempotent; rejects after 5 s. */
  async remove(id: string): Promise<void> {
    const deadline = this.clock.monotonic() + REMOVE_DEADLINE_MS;
    const killed = new Set<number>();
    for (const hierarchy of this.layout.hierarchies) {
      const folder = join(hierarchy, this.parent, id);
      while (!removeGroup(folder)) {
        if (this.clock.monotonic() > deadline) throw new Error(`control group ${folder} cannot be removed`);
        killGroup(folder, killed);
        this.thaw(id);
        await delay(this.clock, 2);
      }
    }
    // Orphans of a start that went wrong may have become our children: nobody else collects them.
    for (const pid of killed) {
      while (reap(pid) === 'running' && this.clock.monotonic() < deadline) await delay(this.clock, 2);
    }
  }

  /** Removes the installation's own (empty) groups; those of others and non-empty ones stay. */
  removeParents(): void {
    for (const hierarchy of this.layout.hierarchies) {
      for (let path = this.parent; path !== '/' && path !== '.'; path = join(path, '..')) {
        try {
          rmdirSync(join(hierarchy, path));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOENT') break;
        }
      }
    }
  }

  /** Version 2 only: lets the groups below the installation's one have limits. Runtimes do it too; a probe needs it now. */
  prepare(): void {
    if (this.layout.kind !== 'v2') return;
    let folder = this.layout.controllers.memory;
    for (const name of ['', ...this.parent.split('/').filter((part) => part !== '')]) {
      folder = join(folder, name);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'cgroup.subtree_control'), '+memory +cpu +pids');
    }
  }
}

function quotaMicros(cpu: number): number {
  return Math.max(1_000, Math.round(cpu * PERIOD_MICROS));
}

/** What the kernel calls the usual weight of a group. */
const USUAL_SHARES = 1024;
const USUAL_WEIGHT = 100;

function cpuWeight(limits: SandboxLimits, v2: boolean): number {
  return Math.max(2, Math.round((limits.cpuWeight ?? 1) * (v2 ? USUAL_WEIGHT : USUAL_SHARES)));
}

/** The number after `key ` in a flat keyed file; 0 when the key is absent. */
export function numberIn(text: string, key: string): number {
  const match = new RegExp(`^${key} (\\d+)$`, 'm').exec(text);
  return match === null ? 0 : Number(match[1]);
}

/** True when the folder is gone (removed now or before). */
function removeGroup(folder: string): boolean {
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) removeGroup(join(folder, entry.name));
    }
    rmdirSync(folder);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

function killGroup(folder: string, killed: Set<number>): void {
  let pids: string;
  try {
    pids = readFileSync(join(folder, 'cgroup.procs'), 'utf8');
  } catch {
    return;
  }
  for (const line of pids.split('\n')) {
    const pid = Number(line);
    // 0 stands for a process that this host's pid namespace cannot name, never for ourselves.
    if (!Number.isInteger(pid) || pid <= 1) continue;
    try {
      process.kill(pid, 'SIGKILL');
      killed.add(pid);
    } catch {
      // It ended in between.
    }
  }
}
