import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unwatchFile,
  watchFile,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { type Disposable } from '../../core/base/disposable.ts';
import { Emitter } from '../../core/base/emitter.ts';
import type { MasterKey, WrappedKey } from '../../core/ports/master-key.ts';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';
const LOOK_MS = 2_000;
const FORBIDDEN_MODE = 0o077;

/** What the file holds, as JSON. Keys that are no longer current stay until nothing is wrapped under them. */
interface Content {
  readonly current: string;
  /** Base64 of 32 bytes by id. */
  readonly keys: Readonly<Record<string, string>>;
}

/**
 * The master key in a file that only its owner can read; made when there is none. Throws, naming the file, when others may read it, it
 * belongs to somebody else, or it is damaged: never falls back to another key. A rotated file is noticed within seconds.
 */
export function openMasterKeyFile(path: string, options: { readonly everyMs?: number } = {}): MasterKey {
  makeIfMissing(path);
  return new MasterKeyFile(path, options.everyMs ?? LOOK_MS);
}

/** Adds a new key to the file and makes it the current one; gives its id. The file is replaced as a whole. */
export function rotateMasterKeyFile(path: string): string {
  const { keys } = readContent(path);
  const id = freshId();
  replace(path, { current: id, keys: { ...keys, [id]: randomBytes(KEY_BYTES).toString('base64') } });
  return id;
}

/** Removes every key that is neither current nor in `needed`; gives the ids of those that went. */
export function retireMasterKeys(path: string, needed: ReadonlySet<string>): string[] {
  const { current, keys } = readContent(path);
  const gone = Object.keys(keys).filter((id) => id !== current && !needed.has(id));
  const kept = Object.entries(keys).filter(([id]) => !gone.includes(id));
  if (gone.length > 0) replace(path, { current, keys: Object.fromEntries(kept) });
  return gone;
}

/** Ids of the keys in the file, the current one first. */
export function masterKeyIds(path: string): string[] {
  const { current, keys } = readContent(path);
  return [current, ...Object.keys(keys).filter((id) => id !== current)];
}

class MasterKeyFile implements MasterKey {
  private readonly path: string;
  private content: Content;
  private readonly rotated = new Emitter<void>();
  private readonly look: () => void;

  constructor(path: string, everyMs: number) {
    this.path = path;
    this.content = readContent(path);
    this.look = () => this.reread();
    watchFile(path, { interval: everyMs, persistent: false }, this.look);
  }

  current(): string {
    return this.content.current;
  }

  wrap(key: Uint8Array, context: string): Promise<WrappedKey> {
    this.reread(); // never under a key that is on its way out; data keys are made rarely
    const master = this.content.current;
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.secretOf(master), nonce).setAAD(Buffer.from(context));
    const body = Buffer.concat([cipher.update(key), cipher.final()]);
    return Promise.resolve({ master, wrapped: Buffer.concat([nonce, body, cipher.getAuthTag()]) });
  }

  async unwrap({ master, wrapped }: WrappedKey, context: string): Promise<Uint8Array> {
    if (this.content.keys[master] === undefined) this.reread(); // rotated a moment ago, by whoever wrapped it
    const secret = this.secretOf(master);
    if (wrapped.byteLength < NONCE_BYTES + TAG_BYTES) throw new Error(`a data key under ${master} is cut short`);
    const body = wrapped.subarray(NONCE_BYTES, -TAG_BYTES);
    const decipher = createDecipheriv(CIPHER, secret, wrapped.subarray(0, NONCE_BYTES)).setAAD(Buffer.from(context));
    decipher.setAuthTag(wrapped.subarray(-TAG_BYTES));
    try {
      return Buffer.concat([decipher.update(body), decipher.final()]);
    } catch {
      throw new Error(
        `a data key does not open under the master key ${master} for ${context}: one of them was changed`,
      );
    }
  }

  onRotated(listener: () => void): Disposable {
    return this.rotated.subscribe(listener);
  }

  close(): void {
    unwatchFile(this.path, this.look);
  }

  /** A file that cannot be read now is no reason to forget the keys at hand. */
  private reread(): void {
    let content: Content;
    try {
      content = readContent(this.path);
    } catch {
      return;
    }
    const changed = content.current !== this.content.current;
    this.content = content;
    if (changed) this.rotated.emit();
  }

  private secretOf(id: string): Buffer {
    const text = this.content.keys[id];
    if (text === undefined)
      throw new Error(
        `${this.path} has no key ${id}: put back a copy of the file that has it, what it protects is unreadable`,
      );
    return Buffer.from(text, 'base64');
  }
}

function readContent(path: string): Content {
  const { mode, uid } = statSync(path);
  if ((mode & FORBIDDEN_MODE) !== 0)
    throw new Error(`others may read ${path}: chmod 600 it, and rotate the master key if somebody may have read it`);
  const own = process.geteuid?.();
  if (own !== undefined && uid !== own)
    throw new Error(`${path} belongs to the user id ${uid}, not to ${own} that runs this`);
  const damaged = `${path} is damaged: put back a copy of it, without it nothing can be read`;
  let content: Content;
  try {
    content = JSON.parse(readFileSync(path, 'utf8')) as Content;
  } catch {
    throw new Error(damaged); // without the cause: it may quote the file
  }
  const { current, keys = {} } = content as { current?: string; keys?: Readonly<Record<string, string>> };
  const sound = Object.values(keys).every((text) => Buffer.from(text, 'base64').length === KEY_BYTES);
  if (!sound || current === undefined || keys[current] === undefined) throw new Error(damaged);
  return content;
}

function makeIfMissing(path: string): void {
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return;
  const id = freshId();
  const draft = write(path, { current: id, keys: { [id]: randomBytes(KEY_BYTES).toString('base64') } });
  try {
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // another process made it at the same time
  } finally {
    rmSync(draft, { force: true });
  }
  syncFolder(path);
}

function replace(path: string, content: Content): void {
  renameSync(write(path, content), path);
  syncFolder(path);
}

/** Writes a draft beside the file, complete on disk; gives its path. */
function write(path: string, content: Content): string {
  const draft = `${path}.${process.pid}`;
  rmSync(draft, { force: true });
  const file = openSync(draft, 'wx', 0o600);
  try {
    writeSync(file, `${JSON.stringify(content, null, 2)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return draft;
}

function syncFolder(path: string): void {
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function freshId(): string {
  return `m-${randomBytes(6).toString('hex')}`;
}
