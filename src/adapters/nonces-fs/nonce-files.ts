import { mkdir, readdir, readFile, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../core/base/clock.ts';
import type { Disposable } from '../../core/base/disposable.ts';
import type { Logger } from '../../core/base/log.ts';
import { NONCE_WRITE_MS, type NonceJournal } from '../../core/ports/nonce-journal.ts';
import { bootId, note, wasWhole } from './machine-run.ts';
import { FLOOR, MinuteFile, RECORD_BYTES } from './minute-file.ts';

interface NonceFilesOptions {
  readonly dir: string;
  /** How far from now, in seconds, the date of a request may be, either way. */
  readonly windowSeconds: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of this run of the machine; tests play others. */
  readonly boot?: string;
}

const MINUTE = 60;
/** How often outdated files are looked for. */
const SWEEP_MS = 60_000;
/** While the disk takes no writes, how often to try. */
const RETRY_MS = 1_000;

/** A file per minute of the requests' dates, named by its first second: what is outdated goes a file at a time. */
class NonceFiles implements NonceJournal {
  floor = Number.NEGATIVE_INFINITY;
  private readonly options: NonceFilesOptions;
  private readonly boot: string;
  private readonly minutes = new Map<number, MinuteFile>();
  private earlier: Buffer[] = [];
  private latest: MinuteFile | undefined;
  private latestMinute = Number.NaN;
  private timer: Disposable | undefined;
  private sweepTimer: Disposable | undefined;
  private writing: Promise<void> = Promise.resolve();

  constructor(options: NonceFilesOptions) {
    this.options = options;
    this.boot = options.boot ?? bootId();
  }

  async open(): Promise<void> {
    const { dir, clock } = this.options;
    await mkdir(dir, { recursive: true, mode: 0o700 });
    if (!(await wasWhole(this.bootPath, this.boot))) {
      // What the machine took with it stays unknown to the servers after this one too.
      this.raiseFloor(Math.floor(clock.now() / 1_000));
      for (const file of this.minutes.values()) await file.sync();
    }
    await note(this.bootPath, this.boot, 'open');
    for (const name of await readdir(dir)) {
      if (/^\d{1,12}$/.test(name)) await this.read(Number(name), join(dir, name));
    }
    this.sweepLater();
  }

  recall(each: (second: number, fingerprint: number) => void): void {
    for (const bytes of this.earlier.splice(0)) {
      for (let at = 0; at < bytes.length; at += RECORD_BYTES) {
        const fingerprint = bytes.readDoubleLE(at + 4);
        if (fingerprint !== FLOOR) each(bytes.readUInt32LE(at), fingerprint);
      }
    }
  }

  append(second: number, fingerprint: number): void {
    const minute = second - (second % MINUTE);
    if (minute !== this.latestMinute) {
      this.latest = this.fileOf(minute);
      this.latestMinute = minute;
    }
    this.latest?.add(second, fingerprint);
    this.timer ??= this.options.clock.after(NONCE_WRITE_MS, () => void this.flush());
  }

  raiseFloor(second: number): void {
    this.floor = Math.max(this.floor, second);
    this.append(second, FLOOR);
  }

  async close(): Promise<void> {
    this.timer?.dispose();
    this.sweepTimer?.dispose();
    await this.flush();
    this.timer?.dispose();
    try {
      for (const file of this.minutes.values()) await file.sync();
      await note(this.bootPath, this.boot, 'closed');
    } catch (error) {
      this.failed(error);
    }
    for (const file of this.minutes.values()) await file.close();
    this.minutes.clear();
  }

  private get bootPath(): string {
    return join(this.options.dir, 'boot');
  }

  private fileOf(minute: number): MinuteFile {
    let file = this.minutes.get(minute);
    if (file === undefined) {
      file = new MinuteFile(join(this.options.dir, String(minute)));
      this.minutes.set(minute, file);
    }
    return file;
  }

  private async read(minute: number, path: string): Promise<void> {
    if (this.isOutdated(minute)) return rm(path, { force: true });
    const bytes = await readFile(path);
    const whole = bytes.length - (bytes.length % RECORD_BYTES);
    // Its writer was killed in the middle of the last record: what is appended must not be read as the rest of that.
    if (whole < bytes.length) await truncate(path, whole);
    this.earlier.push(bytes.subarray(0, whole));
    for (let at = 0; at < whole; at += RECORD_BYTES) {
      if (bytes.readDoubleLE(at + 4) === FLOOR) this.floor = Math.max(this.floor, bytes.readUInt32LE(at));
    }
  }

  private flush(): Promise<void> {
    this.timer = undefined;
    this.writing = this.writing.then(async () => {
      try {
        for (const file of this.minutes.values()) await file.flush();
      } catch (error) {
        this.failed(error);
        this.timer ??= this.options.clock.after(RETRY_MS, () => void this.flush());
      }
    });
    return this.writing;
  }

  private failed(error: unknown): void {
    const message = 'nonces cannot be written: after a kill, requests could be sent again';
    this.options.logger.log('error', message, { error: String(error) });
  }

  private sweepLater(): void {
    this.sweepTimer = this.options.clock.after(SWEEP_MS, () => {
      this.sweepLater();
      this.writing = this.writing.then(() => this.sweep());
    });
  }

  /** Also those of earlier servers that nothing was added to. */
  private async sweep(): Promise<void> {
    const { dir, logger } = this.options;
    try {
      for (const [minute, file] of this.minutes) {
        if (!this.isOutdated(minute)) continue;
        this.minutes.delete(minute);
        if (this.latest === file) this.latestMinute = Number.NaN;
        await file.remove();
      }
      for (const name of await readdir(dir)) {
        if (/^\d{1,12}$/.test(name) && this.isOutdated(Number(name))) await rm(join(dir, name), { force: true });
      }
    } catch (error) {
      logger.log('warn', 'outdated nonces could not be removed', { error: String(error) });
    }
  }

  private isOutdated(minute: number): boolean {
    return minute + MINUTE < Math.floor(this.options.clock.now() / 1_000) - this.options.windowSeconds;
  }
}

/** Opens the folder, which is made when it is not there. One at a time: the server's lock sees to that. */
export async function openNonceJournal(options: NonceFilesOptions): Promise<NonceJournal> {
  const files = new NonceFiles(options);
  await files.open();
  return files;
}
