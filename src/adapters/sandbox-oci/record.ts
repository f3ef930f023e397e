import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What is known about one sandbox, on disk as RUN/i/<id>/sandbox.json. Written before the effect it describes, so that
 * whoever finds it after a crash knows everything that may exist and has to be taken away.
 */
export interface SandboxRecord {
  readonly format: 1;
  readonly id: string;
  /** `making`: may be half there. `running`: complete. `leaving`: being removed. */
  readonly phase: 'making' | 'running' | 'leaving';
  readonly listen: 'frames' | 'http';
  readonly slot?: number;
  readonly address?: string;
  readonly disk?: string;
  readonly pid?: number;
  /** Field 22 of /proc/<pid>/stat: tells the process from a later one with the same id. */
  readonly startTime?: string;
  /** Code and layers are shown already. */
  readonly specialised: boolean;
}

/** Records and folders of all sandboxes of this installation. */
export class SandboxRecords {
  private readonly folder: string;

  constructor(runDir: string) {
    this.folder = join(runDir, 'i');
    mkdirSync(this.folder, { recursive: true, mode: 0o711 });
  }

  folderOf(id: string): string {
    return join(this.folder, id);
  }

  /** Replaces the record in one step. */
  write(record: SandboxRecord): void {
    const path = join(this.folderOf(record.id), 'sandbox.json');
    writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  /** Makes the sandbox's folder and first record. Throws EEXIST when the id is in use. */
  create(record: SandboxRecord): void {
    mkdirSync(this.folderOf(record.id), { mode: 0o711 });
    this.write(record);
  }

  /** undefined: a folder without a readable record; nothing but the folder was made then. */
  read(id: string): SandboxRecord | undefined {
    try {
      const record = JSON.parse(readFileSync(join(this.folderOf(id), 'sandbox.json'), 'utf8')) as SandboxRecord;
      return record.format === 1 && record.id === id ? record : undefined;
    } catch {
      return undefined;
    }
  }

  ids(): string[] {
    return readdirSync(this.folder);
  }

  /** Removes folder and record, the record last. Nothing may be mounted inside any more. */
  remove(id: string): void {
    const folder = this.folderOf(id);
    try {
      for (const name of readdirSync(folder)) {
        if (name !== 'sandbox.json') rmSync(join(folder, name), { recursive: true, force: true });
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    rmSync(folder, { recursive: true, force: true });
  }
}

interface ProcessState {
  /** It has ended and only waits to be collected. */
  readonly dead: boolean;
  /** In clock ticks since boot. */
  readonly startTime: string;
}

/** What /proc says about a process; undefined when there is none with this id. */
export function processState(pid: number): ProcessState | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces and parentheses of its own.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { dead: fields[0] === 'Z' || fields[0] === 'X', startTime: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}

/** Start time of a process that lives; undefined when it does not. */
export function processStartTime(pid: number): string | undefined {
  const state = processState(pid);
  return state === undefined || state.dead ? undefined : state.startTime;
}
