import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { whereIs } from '../commands/doctor.ts';
import type { SmallDisk } from './disk.ts';
import { type Role, signal, type Subject } from './subject.ts';
import { tearLogs } from './torn-record.ts';

export const FAULTS = [
  'kill-instance',
  'kill-server',
  'kill-agent',
  'kill-all',
  'torn-record',
  'fsync-fails',
  'disk-full',
  'clock-jump',
] as const;
export type FaultName = (typeof FAULTS)[number];

/** Killing costs little and is common; the others stand for rarer days. */
const WEIGHTS: Readonly<Record<FaultName, number>> = {
  'kill-instance': 4,
  'kill-server': 3,
  'kill-agent': 2,
  'kill-all': 1,
  'torn-record': 1,
  'fsync-fails': 2,
  'disk-full': 1,
  'clock-jump': 1,
};

const FAKETIME = ['x86_64', 'aarch64'].map((arch) => `/usr/lib/${arch}-linux-gnu/faketime/libfaketimeMT.so.1`);
const JUMP_SECONDS = 45;

/** Path of libfaketime (Debian package `libfaketime`), if it is here. */
export function faketime(): string | undefined {
  return FAKETIME.find((path) => existsSync(path));
}

/** Why a fault cannot be made here; undefined when it can. */
export function hindrance(fault: FaultName): string | undefined {
  const root = process.getuid?.() === 0;
  if (fault === 'disk-full' && !root) return 'needs root, for a small disk of its own';
  if (fault === 'fsync-fails' && whereIs('strace') === undefined) return 'needs the program strace';
  if (fault === 'clock-jump' && faketime() === undefined) return 'needs the library libfaketime';
  return undefined;
}

export interface FaultTarget {
  readonly subject: Subject;
  readonly data: string;
  readonly disk: SmallDisk | undefined;
  readonly random: () => number;
}

/** One of `allowed`, by weight. */
export function drawFault(allowed: readonly FaultName[], random: () => number): FaultName {
  let left = random() * allowed.reduce((sum, fault) => sum + WEIGHTS[fault], 0);
  return allowed.find((fault) => (left -= WEIGHTS[fault]) < 0) ?? 'kill-instance';
}

/** Makes a fault happen and, where it lasts, end. Resolves with what it was in detail. */
export async function makeFault(fault: FaultName, target: FaultTarget): Promise<string> {
  const { subject, random } = target;
  switch (fault) {
    case 'kill-server':
      return kill(subject, 'server');
    case 'kill-agent':
      return kill(subject, 'agent');
    case 'kill-instance': {
      const pids = subject.instances();
      const pid = pids[Math.floor(random() * pids.length)];
      if (pid === undefined) return 'no instance runs';
      signal(pid, 'SIGKILL');
      return `instance process ${pid}`;
    }
    case 'kill-all':
      await subject.killAll();
      await subject.start();
      return 'all processes, then started again';
    case 'torn-record': {
      await subject.killAll();
      const logs = tearLogs(target.data, random);
      await subject.start();
      return `${logs} logs got a torn record at their end`;
    }
    case 'fsync-fails':
      return failSyncs(subject, 300 + random() * 1_500);
    case 'disk-full': {
      target.disk?.fill();
      await pause(500 + random() * 2_500);
      target.disk?.free();
      return 'the disk was full';
    }
    case 'clock-jump': {
      const seconds = Math.round((random() * 2 - 1) * JUMP_SECONDS);
      subject.setClock(seconds);
      return `the clock stands ${seconds} s off`;
    }
  }
}

function kill(subject: Subject, role: Role): string {
  const pid = subject.pid(role);
  if (pid === undefined) return `the ${role} is down already`;
  signal(pid, 'SIGKILL');
  return `${role} ${pid}`;
}

/** Every fsync of the server answers EIO for a while: the kernel is told to by strace. */
async function failSyncs(subject: Subject, ms: number): Promise<string> {
  const pid = subject.pid('server');
  if (pid === undefined) return 'the server is down already';
  const calls = 'fsync,fdatasync,sync_file_range';
  const args = ['-f', '-qq', '-o', '/dev/null', '-e', `trace=${calls}`, '-e', `inject=${calls}:error=EIO`];
  const tracer = spawn('strace', [...args, '-p', String(pid)], { stdio: 'ignore' });
  const gone = new Promise((resolve) => tracer.once('close', resolve));
  tracer.once('error', () => {});
  await pause(ms);
  tracer.kill('SIGINT');
  await gone;
  return `fsync failed for ${Math.round(ms)} ms`;
}
