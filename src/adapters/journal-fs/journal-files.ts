import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../core/base/log.ts';
import type { InstanceJournal, InstanceRecord } from '../../core/ports/instance-journal.ts';

const SUFFIX = '.json';

/**
 * One file per ready instance in a folder of the run directory (memory-backed on every systemd machine). Put in place by
 * a rename; not synced, since sandboxes do not outlive the machine either. Readable by the owner alone: records hold the
 * functions' environment variables.
 */
export class JournalFiles implements InstanceJournal {
  private readonly folder: string;
  private readonly log: Logger;

  constructor(folder: string, log: Logger) {
    this.folder = folder;
    this.log = log;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  write(record: InstanceRecord): void {
    const path = this.path(record.sandboxId);
    writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  remove(sandboxId: string): void {
    rmSync(this.path(sandboxId), { force: true });
  }

  list(): readonly InstanceRecord[] {
    const records: InstanceRecord[] = [];
    for (const name of readdirSync(this.folder)) {
      const path = join(this.folder, name);
      const record = name.endsWith(SUFFIX) ? this.read(path) : undefined;
      if (record !== undefined) records.push(record);
      else rmSync(path, { force: true });
    }
    return records;
  }

  private read(path: string): InstanceRecord | undefined {
    try {
      // Written by this class alone, whole or not at all; a file of an older version fails the check below.
      const record = JSON.parse(readFileSync(path, 'utf8')) as InstanceRecord;
      if (path !== this.path(record.sandboxId)) return undefined;
      return record.order.spec.config.runtime !== '' && record.started.address !== undefined ? record : undefined;
    } catch (error) {
      this.log.log('warn', 'an instance record could not be read and is removed', { path, error: String(error) });
      return undefined;
    }
  }

  private path(sandboxId: string): string {
    return join(this.folder, `${sandboxId}${SUFFIX}`);
  }
}
