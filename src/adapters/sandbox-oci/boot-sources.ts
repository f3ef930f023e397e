import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmdirSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { attachReadOnly, detach } from './syscalls.ts';

/**
 * The runtimes' own folders (node binary, shims), each mounted once below the run folder: sandboxes bind from there, so
 * they work although the folder itself lies where other users may not look (a home folder of mode 0700).
 */
export class BootSources {
  private readonly folder: string;
  private readonly attached = new Set<string>();

  constructor(runDir: string) {
    this.folder = join(runDir, 'b');
    mkdirSync(this.folder, { recursive: true, mode: 0o711 });
    // What an earlier agent attached may have been replaced by an upgrade since: sandboxes keep theirs, we look anew.
    this.clear();
  }

  /** The path to bind from. */
  attach(source: string): { readonly path: string; readonly isFile: boolean } {
    const isFile = !statSync(source).isDirectory();
    const path = join(this.folder, createHash('sha256').update(source).digest('hex').slice(0, 16));
    if (!this.attached.has(path)) {
      if (isFile) writeFileSync(path, '');
      else mkdirSync(path, { recursive: true });
      attachReadOnly(source, path);
      this.attached.add(path);
    }
    return { path, isFile };
  }

  clear(): void {
    if (!existsSync(this.folder)) return;
    for (const entry of readdirSync(this.folder)) {
      const path = join(this.folder, entry);
      detach(path);
      // Never recursive: should something still be mounted here, it is the runtime's own files.
      if (statSync(path).isDirectory()) rmdirSync(path);
      else unlinkSync(path);
    }
    this.attached.clear();
  }
}
