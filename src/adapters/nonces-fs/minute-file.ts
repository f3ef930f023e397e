import { type FileHandle, open, rm } from 'node:fs/promises';

/** A 32-bit second, then a 64-bit float. */
export const RECORD_BYTES = 12;
/** Of a record that says: requests dated before this second are refused. No fingerprint is 0. */
export const FLOOR = 0;

const FIRST_BYTES = 64 * RECORD_BYTES;
/** While the disk takes no writes, records of one minute are held up to this many bytes. */
const HELD_BYTES = 4 * 1_048_576;

/** The records of requests dated within one minute: collected in memory, appended to a file of their own. */
export class MinuteFile {
  private readonly path: string;
  private file: FileHandle | undefined;
  private bytes = Buffer.allocUnsafe(FIRST_BYTES);
  private used = 0;

  constructor(path: string) {
    this.path = path;
  }

  add(second: number, fingerprint: number): void {
    if (this.used + RECORD_BYTES > this.bytes.length && !this.grow()) return;
    this.bytes.writeUInt32LE(second, this.used);
    this.bytes.writeDoubleLE(fingerprint, this.used + 4);
    this.used += RECORD_BYTES;
  }

  /** Writes what was collected so far, one call at a time. Rejects when the disk does not take it; it is collected still. */
  async flush(): Promise<void> {
    while (this.used > 0) {
      this.file ??= await open(this.path, 'a', 0o600);
      const { bytes, used } = this;
      this.bytes = Buffer.allocUnsafe(Math.max(FIRST_BYTES, used));
      this.used = 0;
      let written = 0;
      try {
        while (written < used) written += (await this.file.write(bytes, written, used - written)).bytesWritten;
      } catch (error) {
        // A record that was cut is completed by its rest: what was collected meanwhile comes after it.
        this.bytes = Buffer.concat([bytes.subarray(written, used), this.bytes.subarray(0, this.used)]);
        this.used = this.bytes.length;
        throw error;
      }
    }
  }

  async sync(): Promise<void> {
    await this.flush();
    await this.file?.sync();
  }

  /** Lets go of the file. */
  async close(): Promise<void> {
    await this.file?.close();
    this.file = undefined;
  }

  async remove(): Promise<void> {
    await this.close();
    await rm(this.path, { force: true });
  }

  private grow(): boolean {
    if (this.bytes.length >= HELD_BYTES) return false;
    const larger = Buffer.allocUnsafe(Math.max(FIRST_BYTES, 2 * this.bytes.length));
    this.bytes.copy(larger, 0, 0, this.used);
    this.bytes = larger;
    return true;
  }
}
