import { readFileSync } from 'node:fs';

export type Controller = 'memory' | 'cpu' | 'cpuacct' | 'pids';

/** Where this host keeps its control groups. */
export interface CgroupLayout {
  readonly kind: 'v1' | 'v2' | 'hybrid';
  /** Folder of the hierarchy that limits each resource; for v2 all the same. */
  readonly controllers: Readonly<Record<Controller, string>>;
  /** Folder of the hierarchy that can freeze groups; undefined where there is none. */
  readonly freezer: string | undefined;
  /** Every hierarchy mounted, limiting or not: a runtime leaves a group in each. */
  readonly hierarchies: readonly string[];
}

const NEEDED: readonly Controller[] = ['memory', 'cpu', 'cpuacct', 'pids'];

interface CgroupMount {
  readonly path: string;
  readonly version: 1 | 2;
  readonly options: readonly string[];
}

function cgroupMounts(mountinfo: string): CgroupMount[] {
  const mounts: CgroupMount[] = [];
  for (const line of mountinfo.split('\n')) {
    const [left, right] = line.split(' - ');
    const path = left?.split(' ')[4];
    const fields = right?.split(' ');
    if (path === undefined || fields === undefined) continue;
    if (fields[0] === 'cgroup') mounts.push({ path, version: 1, options: (fields[2] ?? '').split(',') });
    if (fields[0] === 'cgroup2') mounts.push({ path, version: 2, options: [] });
  }
  return mounts;
}

/**
 * Reads the layout from /proc/self/mountinfo. Returns a sentence instead when a limit could not be enforced here: then
 * no sandbox may be made. `controllersOf` reads `cgroup.controllers` of a v2 mount.
 */
export function detectCgroups(
  mountinfo: string = readFileSync('/proc/self/mountinfo', 'utf8'),
  controllersOf: (path: string) => string = (path) => readFileSync(`${path}/cgroup.controllers`, 'utf8'),
): CgroupLayout | string {
  const mounts = cgroupMounts(mountinfo);
  const second = mounts.find((mount) => mount.version === 2);
  const first = mounts.filter((mount) => mount.version === 1);
  if (second !== undefined) {
    const offered = new Set(controllersOf(second.path).trim().split(/\s+/));
    if (['memory', 'cpu', 'pids'].every((name) => offered.has(name))) {
      const path = second.path;
      return {
        kind: 'v2',
        controllers: { memory: path, cpu: path, cpuacct: path, pids: path },
        freezer: path,
        hierarchies: [path],
      };
    }
  }
  const found = new Map<Controller, string>();
  for (const name of NEEDED) {
    const home = first.find((mount) => mount.options.includes(name));
    if (home !== undefined) found.set(name, home.path);
  }
  const memory = found.get('memory');
  const cpu = found.get('cpu');
  const cpuacct = found.get('cpuacct');
  const pids = found.get('pids');
  if (memory === undefined || cpu === undefined || cpuacct === undefined || pids === undefined) {
    const missing = NEEDED.filter((name) => !found.has(name)).join(', ');
    return `no control group controller for ${missing}: mount cgroup2 with memory, cpu and pids, or those of version 1`;
  }
  return {
    kind: second === undefined ? 'v1' : 'hybrid',
    controllers: { memory, cpu, cpuacct, pids },
    freezer: first.find((mount) => mount.options.includes('freezer'))?.path,
    hierarchies: mounts.map((mount) => mount.path),
  };
}
