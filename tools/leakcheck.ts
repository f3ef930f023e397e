/**
 * Lists what belongs to Tidemill on this machine and still exists: processes, mounts, control groups, network devices,
 * firewall tables, loop devices, files of sandboxes. Suites call `findLeaks` at their end; by hand:
 *
 *   node tools/leakcheck.ts [RUN_DIR]      exit code 1 when something is left
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

export interface LeakScope {
  /** Only what lies in this folder or names it; undefined: of every installation. */
  readonly runDir?: string;
  /** Only kernel objects with this installation tag; undefined: the tag noted in runDir, without runDir all. */
  readonly tag?: string;
  /** The kernel takes network namespaces down in the background: how long to wait for it, milliseconds. Default 5000. */
  readonly patienceMs?: number;
}

const DEFAULT_PATIENCE_MS = 5_000;
const LOOK_AGAIN_MS = 20;

/** One line per leftover; empty when nothing is left within the patience. */
export async function findLeaks(scope: LeakScope = {}): Promise<readonly string[]> {
  const tag = scope.tag ?? tagNotedIn(scope.runDir);
  const narrowed = tag === undefined ? scope : { ...scope, tag };
  const deadline = performance.now() + (scope.patienceMs ?? DEFAULT_PATIENCE_MS);
  for (;;) {
    const leaks = await look(narrowed);
    if (leaks.length === 0 || performance.now() > deadline) return leaks;
    await sleep(LOOK_AGAIN_MS);
  }
}

/** No installation has this tag: stands for one whose run folder no longer says which it was. */
const NO_TAG = 'none';

function tagNotedIn(runDir: string | undefined): string | undefined {
  if (runDir === undefined) return undefined;
  return /"tag":"([0-9a-f]{6})"/.exec(read(join(runDir, 'network.json')))?.[1] ?? NO_TAG;
}

async function look(scope: LeakScope): Promise<string[]> {
  return [
    ...processes(scope),
    ...mounts(scope),
    ...controlGroups(scope),
    ...devices(scope),
    ...(await firewallTables(scope)),
    ...loopDevices(scope),
    ...sandboxFiles(scope),
  ];
}

/** Text that marks a path as ours. */
function mark(scope: LeakScope): string {
  return scope.runDir === undefined ? '/run/tidemill/' : resolve(scope.runDir);
}

function groupMark(scope: LeakScope): string {
  return scope.tag === undefined ? '/tidemill/' : `/tidemill/${scope.tag}`;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function list(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : [];
}

/** This process and those it descends from name the run folder too, in their own arguments. */
function ancestors(): Set<number> {
  const found = new Set<number>();
  for (let pid = process.pid; pid > 0 && !found.has(pid); ) {
    found.add(pid);
    const stat = read(`/proc/${pid}/stat`);
    pid = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? 0);
  }
  return found;
}

/**
 * Dead, and to be collected by a parent that is neither this process nor ours: orphans of a killed agent belong to the first
 * process of the machine, and in some containers that one never collects anything.
 */
function isAnothersZombie(pid: number, scope: LeakScope): boolean {
  const stat = read(`/proc/${pid}/stat`);
  const [state, parent = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (state !== 'Z' || Number(parent) === process.pid) return false;
  return !read(`/proc/${parent}/cmdline`).replaceAll('\0', ' ').includes(mark(scope));
}

function processes(scope: LeakScope): string[] {
  const own = ancestors();
  return list('/proc').flatMap((entry) => {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || own.has(pid)) return [];
    if (isAnothersZombie(pid, scope)) return [];
    const command = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
    const ours = read(`/proc/${pid}/cgroup`).includes(groupMark(scope)) || command.includes(mark(scope));
    return ours ? [`process ${pid}: ${command.slice(0, 120)}`] : [];
  });
}

function mounts(scope: LeakScope): string[] {
  const lines = read('/proc/self/mountinfo').split('\n');
  return lines.flatMap((line) => {
    const point = line.split(' ')[4] ?? '';
    return point.startsWith(mark(scope)) ? [`mount ${point}`] : [];
  });
}

function controlGroups(scope: LeakScope): string[] {
  return list('/sys/fs/cgroup').flatMap((hierarchy) => {
    const path = join('/sys/fs/cgroup', hierarchy === 'tidemill' ? '' : hierarchy, groupMark(scope));
    return existsSync(path) ? [`control group ${path}`] : [];
  });
}

function devices(scope: LeakScope): string[] {
  const pattern = new RegExp(`^tm${scope.tag ?? '[0-9a-f]{6}'}(-\\d+)?$`);
  return list('/sys/class/net')
    .filter((name) => pattern.test(name))
    .map((name) => `network device ${name}`);
}

async function firewallTables(scope: LeakScope): Promise<string[]> {
  const pattern = new RegExp(`^table \\w+ tidemill_${scope.tag ?? ''}`);
  try {
    const { stdout } = await promisify(execFile)('nft', ['list', 'tables']);
    return stdout
      .split('\n')
      .filter((line) => pattern.test(line))
      .map((line) => `firewall ${line}`);
  } catch {
    // Without nft there are no tables to leave behind.
    return [];
  }
}

function loopDevices(scope: LeakScope): string[] {
  return list('/sys/block').flatMap((name) => {
    const backing = read(`/sys/block/${name}/loop/backing_file`).trim();
    return backing.startsWith(mark(scope)) ? [`loop device ${name}: ${backing}`] : [];
  });
}

function sandboxFiles(scope: LeakScope): string[] {
  if (scope.runDir === undefined) return [];
  const runDir = scope.runDir;
  return ['i', 'n', 'd', 'oci'].flatMap((folder) => list(join(runDir, folder)).map((name) => `file ${folder}/${name}`));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const runDir = process.argv[2];
  const leaks = await findLeaks(runDir === undefined ? {} : { runDir });
  for (const leak of leaks) console.log(leak);
  console.log(leaks.length === 0 ? 'nothing is left' : `${leaks.length} leftovers`);
  process.exitCode = leaks.length === 0 ? 0 : 1;
}
