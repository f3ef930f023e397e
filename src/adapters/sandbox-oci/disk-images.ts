import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { chmod, open } from 'node:fs/promises';
import { join } from 'node:path';
import { mustRun } from './command.ts';
import { mountImage } from './loop-device.ts';
import { ReadyPool } from './ready-pool.ts';
import { dataRanges, detachInBackground, MS, mount } from './syscalls.ts';

const MIB = 1024 * 1024;

/** One private /tmp, mounted on the host at `path` and waiting to be bound into a sandbox. */
export interface Disk {
  readonly name: string;
  readonly path: string;
}

interface Template {
  readonly bytes: number;
  readonly ranges: readonly { readonly offset: number; readonly data: Buffer }[];
}

export interface DiskOptions {
  /** A folder on a real disk: images are sparse files there. */
  readonly imageFolder: string;
  /** Where they are mounted: sandboxes must be able to pass to here. */
  readonly mountFolder: string;
  /** `image`: ext4 through a loop device. `memory`: tmpfs, which counts against the function's memory. */
  readonly kind: 'image' | 'memory';
  readonly depth: number;
  newName(): string;
  onRefillError(error: unknown): void;
}

/**
 * Private /tmp folders of a fixed size. An image is written from a template kept in memory (a few hundred KB of a
 * formatted file system), so that no tool runs per sandbox; a few of each size in use wait ready.
 */
export class DiskImages {
  private readonly options: DiskOptions;
  private readonly templates = new Map<number, Promise<Template>>();
  private readonly pools = new Map<number, ReadyPool<Disk>>();
  /** Made by this process and not removed yet: not strays, although no record may name them (yet). */
  private readonly own = new Set<string>();

  constructor(options: DiskOptions) {
    this.options = options;
    mkdirSync(options.imageFolder, { recursive: true, mode: 0o711 });
    mkdirSync(options.mountFolder, { recursive: true, mode: 0o711 });
  }

  private mountPoint(name: string): string {
    return join(this.options.mountFolder, name);
  }

  private image(name: string): string {
    return join(this.options.imageFolder, `${name}.img`);
  }

  /** A mounted, empty /tmp of `mb` MB. */
  async take(mb: number): Promise<Disk> {
    let pool = this.pools.get(mb);
    if (pool === undefined) {
      pool = new ReadyPool({
        depth: this.options.depth,
        make: () => this.make(mb),
        discard: (disk) => this.remove(disk.name),
        onRefillError: this.options.onRefillError,
      });
      this.pools.set(mb, pool);
    }
    return await pool.take();
  }

  private async make(mb: number): Promise<Disk> {
    const name = this.options.newName();
    this.own.add(name);
    const path = this.mountPoint(name);
    mkdirSync(path);
    try {
      if (this.options.kind === 'memory') {
        mount('tmpfs', path, 'tmpfs', MS.nosuid | MS.nodev, `size=${mb}m,mode=1777`);
      } else {
        await this.writeImage(this.image(name), await this.template(mb));
        mountImage(this.image(name), path);
      }
      return { name, path };
    } catch (error) {
      await this.remove(name);
      throw error;
    }
  }

  private async writeImage(file: string, template: Template): Promise<void> {
    const handle = await open(file, 'wx', 0o600);
    try {
      await handle.truncate(template.bytes);
      for (const range of template.ranges) await handle.write(range.data, 0, range.data.length, range.offset);
    } finally {
      await handle.close();
    }
  }

  private template(mb: number): Promise<Template> {
    const known = this.templates.get(mb);
    if (known !== undefined) return known;
    const made = this.format(mb);
    this.templates.set(mb, made);
    made.catch(() => this.templates.delete(mb));
    return made;
  }

  /** Formats one image of this size and keeps what is in it; root folder open to everybody, as /tmp is. */
  private async format(mb: number): Promise<Template> {
    const name = this.options.newName();
    this.own.add(name);
    const path = this.mountPoint(name);
    const file = this.image(name);
    mkdirSync(path);
    try {
      const handle = await open(file, 'wx', 0o600);
      await handle.truncate(mb * MIB);
      await handle.close();
      // No journal: the disk does not outlive its sandbox, so there is no crash to recover from.
      const options = ['-O', '^has_journal', '-m', '0', '-b', '4096', '-E', 'nodiscard,lazy_itable_init=1'];
      await mustRun('mkfs.ext4', ['-q', '-F', ...options, file]);
      mountImage(file, path);
      rmdirSync(join(path, 'lost+found'));
      await chmod(path, 0o1777);
      await detachInBackground(path);
      return readTemplate(file);
    } finally {
      await this.remove(name);
    }
  }

  /** Unmounts and deletes; idempotent. */
  async remove(name: string): Promise<void> {
    const path = this.mountPoint(name);
    // Deleted first: an image without a name is not written back for nothing if its file system is still dirty.
    rmSync(this.image(name), { force: true });
    await detachInBackground(path);
    if (existsSync(path)) rmdirSync(path);
    this.own.delete(name);
  }

  /** Removes what an earlier process made and no sandbox (`used`) has. */
  async removeStrays(used: ReadonlySet<string>): Promise<void> {
    const entries = [...readdirSync(this.options.imageFolder), ...readdirSync(this.options.mountFolder)];
    const names = new Set(entries.map((entry) => entry.replace(/\.img$/, '')));
    for (const name of names) if (!this.own.has(name) && !used.has(name)) await this.remove(name);
  }

  async close(): Promise<void> {
    for (const pool of this.pools.values()) await pool.close();
  }
}

function readTemplate(file: string): Template {
  const bytes = statSync(file).size;
  const descriptor = openSync(file, 'r');
  try {
    const ranges = dataRanges(descriptor, bytes).map(([offset, length]) => {
      const data = Buffer.alloc(length);
      readSync(descriptor, data, 0, length, offset);
      return { offset, data };
    });
    return { bytes, ranges };
  } finally {
    closeSync(descriptor);
  }
}

/** Why loop-mounted images do not work here; undefined when they do. Leaves nothing behind. */
export async function imagesRefused(
  options: Pick<DiskOptions, 'imageFolder' | 'mountFolder' | 'newName'>,
): Promise<string | undefined> {
  const images = new DiskImages({ ...options, kind: 'image', depth: 0, onRefillError: () => undefined });
  try {
    const disk = await images.take(16);
    await images.remove(disk.name);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
