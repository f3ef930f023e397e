import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Shown } from './paths.ts';

/** One process sandbox on disk, as RUN/i/<id>/sandbox.json; written before the process starts and again after. */
export interface ProcessRecord {
  readonly id: string;
  readonly listen: 'frames' | 'http';
  readonly specialised: boolean;
  readonly shown: readonly Shown[];
  /** Absent while it is being made. */
  readonly pid?: number;
  readonly startTime?: string;
}

export class ProcessRecords {
  private readonly folder: string;

  constructor(runDir: string) {
    this.folder = join(runDir, 'i');
    mkdirSync(this.folder, { recursive: true });
  }

  folderOf(id: string): string {
    return join(this.folder, id);
  }

  ids(): string[] {
    return readdirSync(this.folder);
  }

  /** Throws EEXIST when the id is in use. */
  create(record: ProcessRecord): void {
    mkdirSync(this.folderOf(record.id));
    this.write(record);
  }

  write(record: ProcessRecord): void {
    const path = join(this.folderOf(record.id), 'sandbox.json');
    writeFileSync(`${path}.new`, JSON.stringify(record));
    renameSync(`${path}.new`, path);
  }

  read(id: string): ProcessRecord | undefined {
    try {
      return JSON.parse(readFileSync(join(this.folderOf(id), 'sandbox.json'), 'utf8')) as ProcessRecord;
    } catch {
      return undefined;
    }
  }

  remove(id: string): void {
    rmSync(this.folderOf(id), { recursive: true, force: true });
  }
}
