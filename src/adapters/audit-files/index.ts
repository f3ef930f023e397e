import { type FileHandle, mkdir, open, readdir, readFile, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { TidemillError } from '../../core/domain/errors.ts';
import type { AuditEntry, AuditLog, AuditQuery, AuditRecord, AuditVerdict } from '../../core/ports/audit-log.ts';
import { FIRST_SEAL, isSealed, lineOf, readLine } from './records.ts';

export interface AuditFilesOptions {
  readonly dir: string;
  /** Seals the records: who does not know it cannot write one that passes. */
  readonly secret: Uint8Array;
  /** On disk, all together; the oldest file goes when they pass it. */
  readonly keptBytes: number;
  /** A file is closed when it has reached this size. */
  readonly fileBytes?: number;
}

const FILE_BYTES = 16 * 1024 * 1024;
const NAME = /^(\d{16})\.log$/;

interface Waiting {
  readonly entry: AuditEntry;
  readonly settle: PromiseWithResolvers<void>;
}

/**
 * The audit log in files named by the number of their first record. Appends that come while others are being written share the next write and
 * its fsync. Throws when the folder cannot be used.
 */
export async function openAuditLog(options: AuditFilesOptions): Promise<AuditLog> {
  const log = new AuditFiles(options);
  await log.open();
  return log;
}

class AuditFiles implements AuditLog {
  private readonly options: AuditFilesOptions;
  private waiting: Waiting[] = [];
  private writing: Promise<void> | undefined;
  private file: { readonly handle: FileHandle; bytes: number } | undefined;
  private number = 0;
  private seal = FIRST_SEAL;
  private closed = false;

  constructor(options: AuditFilesOptions) {
    this.options = options;
  }

  /** Takes the end of the last file up; a line that a kill cut is taken away. */
  async open(): Promise<void> {
    const { dir } = this.options;
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const names = await this.names();
    for (const name of names.toReversed()) {
      const path = join(dir, name);
      const bytes = await readFile(path);
      const whole = bytes.lastIndexOf(10) + 1;
      if (whole < bytes.length) await truncate(path, whole);
      const last = readLine(bytes.subarray(0, whole).toString('utf8').trimEnd().split('\n').at(-1) ?? '');
      if (last === undefined) {
        this.number = Math.max(this.number, Number(NAME.exec(name)?.[1]) - 1);
        if (whole === 0) continue;
        return; // spoiled by somebody: `verify` says so, and what comes stands in a file of its own
      }
      this.number = last.record.number;
      this.seal = last.record.seal;
      return;
    }
  }

  append(entry: AuditEntry): Promise<void> {
    if (this.closed) return Promise.reject(new Error('the audit log is closed'));
    const settle = Promise.withResolvers<void>();
    this.waiting.push({ entry, settle });
    this.writing ??= this.write();
    return settle.promise;
  }

  async read({ account, before = Number.POSITIVE_INFINITY, limit }: AuditQuery): Promise<readonly AuditRecord[]> {
    const found: AuditRecord[] = [];
    for (const name of (await this.names()).toReversed()) {
      if (Number(NAME.exec(name)?.[1]) >= before) continue;
      for (const line of (await this.lines(name)).toReversed()) {
        const record = readLine(line)?.record;
        if (record === undefined || record.number >= before) continue;
        if (account !== undefined && record.account !== account) continue;
        found.push(record);
        if (found.length >= limit) return found;
      }
    }
    return found;
  }

  async verify(): Promise<AuditVerdict> {
    await this.writing;
    const names = await this.names();
    const first = Number(NAME.exec(names[0] ?? '')?.[1] ?? 1);
    let expected = first;
    let before: string | undefined = first === 1 ? FIRST_SEAL : undefined;
    for (const name of names) {
      if (Number(NAME.exec(name)?.[1]) !== expected)
        return { sound: false, number: expected, why: `the file ${name} does not follow the one before it` };
      for (const line of await this.lines(name)) {
        const read = readLine(line);
        if (read === undefined) return { sound: false, number: expected, why: 'the line is none of ours' };
        if (read.record.number !== expected)
          return { sound: false, number: expected, why: `the record ${read.record.number} stands in its place` };
        // Of the oldest that is kept, the one before is gone: it is believed, and vouches for those after it.
        if (before !== undefined && !isSealed(this.options.secret, read, before))
          return { sound: false, number: expected, why: 'it is not what was written, or not after the one before it' };
        before = read.record.seal;
        expected++;
      }
    }
    if (expected - 1 !== this.number)
      return { sound: false, number: expected, why: `the log ends before its last record, ${this.number}` };
    return { sound: true, from: first, to: this.number };
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.writing;
    await this.file?.handle.close();
    this.file = undefined;
  }

  private async write(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0);
      try {
        await this.writeBatch(batch.map(({ entry }) => entry));
        for (const { settle } of batch) settle.resolve();
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        const failure = new TidemillError('InternalServerError', `the audit log does not take a record: ${message}`);
        for (const { settle } of batch) settle.reject(failure);
      }
    }
    // In the same turn as the last look at who waits: whoever comes now begins anew.
    this.writing = undefined;
  }

  private async writeBatch(entries: readonly AuditEntry[]): Promise<void> {
    const { secret, fileBytes = FILE_BYTES } = this.options;
    if (this.file !== undefined && this.file.bytes >= fileBytes) {
      await this.file.handle.close();
      this.file = undefined;
    }
    this.file ??= await this.nextFile();
    const { file } = this;
    let { number, seal } = this;
    let text = '';
    for (const entry of entries) {
      const next = lineOf(secret, ++number, seal, entry);
      text += next.line;
      ({ seal } = next);
    }
    try {
      await file.handle.appendFile(text);
      await file.handle.datasync();
    } catch (error) {
      // What part of it is there nobody knows: it is taken away, and the numbers are used again.
      await file.handle.truncate(file.bytes);
      throw error;
    }
    file.bytes += Buffer.byteLength(text);
    this.number = number;
    this.seal = seal;
  }

  /** A file of its own for every process and every so many bytes; the oldest go to make room. */
  private async nextFile(): Promise<{ handle: FileHandle; bytes: number }> {
    const { dir, keptBytes, fileBytes = FILE_BYTES } = this.options;
    const sizes = await Promise.all(
      (await this.names()).map(async (name) => ({ name, bytes: (await stat(join(dir, name))).size })),
    );
    let total = sizes.reduce((sum, { bytes }) => sum + bytes, fileBytes);
    for (const { name, bytes } of sizes) {
      if (total <= keptBytes) break;
      await rm(join(dir, name));
      total -= bytes;
    }
    const path = join(dir, `${String(this.number + 1).padStart(16, '0')}.log`);
    const handle = await open(path, 'a', 0o600);
    const folder = await open(dir, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
    return { handle, bytes: (await handle.stat()).size };
  }

  private async names(): Promise<string[]> {
    return (await readdir(this.options.dir)).filter((name) => NAME.test(name)).sort();
  }

  private async lines(name: string): Promise<string[]> {
    const text = await readFile(join(this.options.dir, name), 'utf8');
    return text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .slice(0, -1);
  }
}
