import { execFile } from 'node:child_process';
import { closeSync, existsSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SIZE_BYTES = 768 * 1024 * 1024;
/** How long the kernel may take to let go, and how often to ask it. */
const RELEASE_MS = 20_000;
const LOOK_MS = 100;
const PIECE = Buffer.alloc(1024 * 1024, 0xa5);

/** A small disk of its own for the data folder (an ext4 image on a loop device), so that it can be filled. Needs root. */
export class SmallDisk {
  readonly folder: string;
  private readonly ballast: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.ballast = join(folder, 'ballast');
  }

  static async make(home: string): Promise<SmallDisk> {
    const image = join(home, 'disk.img');
    const folder = join(home, 'disk');
    closeSync(openSync(image, 'w'));
    truncateSync(image, SIZE_BYTES);
    await run('mkfs.ext4', ['-q', '-F', '-m', '0', image]);
    await mkdir(folder);
    await run('mount', ['-o', 'loop', image, folder]);
    return new SmallDisk(folder);
  }

  /** Writes until nothing more fits, down to the last byte. */
  fill(): void {
    writeFileSync(this.ballast, '');
    const file = openSync(this.ballast, 'a');
    try {
      for (let size = PIECE.length; size >= 1; ) {
        try {
          if (writeSync(file, PIECE, 0, size) < size) size = Math.floor(size / 2);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
          size = Math.floor(size / 2);
        }
      }
    } finally {
      closeSync(file);
    }
  }

  free(): void {
    if (existsSync(this.ballast)) rmSync(this.ballast);
  }

  /** Waits for the kernel, which lets go of the images that lay on the disk a moment after their last user has ended. */
  async remove(): Promise<void> {
    const deadline = performance.now() + RELEASE_MS;
    for (;;) {
      try {
        await run('umount', [this.folder]);
        return;
      } catch (error) {
        if (!/target is busy/.test(String(error)) || performance.now() > deadline) throw error;
        await pause(LOOK_MS);
      }
    }
  }
}
