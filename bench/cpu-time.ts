import { readdirSync, readFileSync } from 'node:fs';

const NS_PER_SECOND = 1e9;

/** CPU seconds that a live process and its threads have used, to the nanosecond as the scheduler counts. 0 when it is gone. */
export function cpuSeconds(pid: number): number {
  let ns = 0;
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      ns += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
    }
  } catch {
    return 0;
  }
  return ns / NS_PER_SECOND;
}

/** CPU seconds that these processes use while `work` runs. Processes that come or go meanwhile count as far as they are seen. */
export async function cpuOf(pids: () => readonly number[], work: () => Promise<unknown>): Promise<number> {
  const before = new Map(pids().map((pid) => [pid, cpuSeconds(pid)]));
  await work();
  let used = 0;
  for (const pid of pids()) used += Math.max(0, cpuSeconds(pid) - (before.get(pid) ?? 0));
  return used;
}

/** The supervisor, what descends from it, and what runs in this installation's sandboxes (others may run beside it). */
export function platformProcesses(supervisor: number): { own: readonly number[]; instances: readonly number[] } {
  const all = descendants(supervisor);
  const mine = all.map((pid) => RUN_DIR.exec(textOf(`/proc/${pid}/cmdline`))?.[1]).find((tag) => tag !== undefined);
  const instances = mine === undefined ? [] : sandboxProcesses(mine);
  return { own: all.filter((pid) => !instances.includes(pid)), instances };
}

/** The folder that an installation runs in; its sandboxes' control groups carry the beginning of the name. */
const RUN_DIR = /\/run\/tidemill\/([0-9a-f]{6})/;

/** A process and all that descends from it. */
export function descendants(root: number): readonly number[] {
  const found = [root];
  for (const pid of found) {
    const children = textOf(`/proc/${pid}/task/${pid}/children`).trim();
    if (children !== '') found.push(...children.split(' ').map(Number));
  }
  return found;
}

/** Processes of instances: those in our control groups; with `tag` only those of the installation it stands for. */
export function sandboxProcesses(tag = ''): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && inSandbox(pid, tag));
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function inSandbox(pid: number, tag: string): boolean {
  return textOf(`/proc/${pid}/cgroup`).includes(`/tidemill/${tag}`);
}

/** Proportional set size in KiB: shared pages are divided among those who share them. */
export function pssKib(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? Number.NaN);
}
