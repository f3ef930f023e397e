import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../core/base/clock.ts';
import type { Disposable } from '../../core/base/disposable.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Vault } from '../../core/ports/vault.ts';
import type { FailedCall, FailedCallBounds, FailedCalls } from '../../core/ports/failed-calls.ts';
import { type KeptFile, keptFile, keptFileOf, KeptFiles } from './kept-files.ts';

export interface FailedCallFilesOptions {
  readonly dir: string;
  readonly bounds: FailedCallBounds;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Seals what is kept. Without it all is written in the clear: for tests. */
  readonly vault?: Vault;
}

/** How long failures are collected before they are written. */
const WRITE_MS = 200;
/** Collected at most: what fails faster than the disk takes it is not kept. */
const PENDING_MOST = 256;
const PENDING_BYTES = 8 * 1_048_576;
/** How often at least it is looked whether something is too old. */
const SWEEP_MS = 600_000;

interface Pending {
  readonly call: FailedCall;
  readonly functionKey: string;
  readonly callKey: string;
}

/**
 * One file per call in a folder per function: a line of JSON that names it, then the payload. Put in place by a rename, not
 * synced, readable by the owner alone.
 */
class FailedCallFiles implements FailedCalls {
  private readonly options: FailedCallFilesOptions;
  private readonly files = new KeptFiles();
  private readonly pending = new Map<string, Pending>();
  private pendingBytes = 0;
  private timer: Disposable | undefined;
  private sweepTimer: Disposable | undefined;
  /** Whatever touches the folder does so one after the other. */
  private work: Promise<void> = Promise.resolve();
  private closed = false;

  constructor(options: FailedCallFilesOptions) {
    this.options = options;
  }

  /** Learns what is there; half-written and foreign files go. */
  async load(): Promise<void> {
    const { dir } = this.options;
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const found: KeptFile[] = [];
    for (const entry of await readdir(dir, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      const functionKey = entry.name;
      for (const name of await readdir(join(dir, functionKey))) {
        const file = keptFileOf(functionKey, name);
        if (file === undefined) await rm(join(dir, functionKey, name), { force: true });
        else found.push(file);
      }
    }
    for (const file of found.toSorted((a, b) => a.at - b.at)) this.files.add(file);
    await this.sweep();
    this.sweepLater();
  }

  keep(call: FailedCall): void {
    const { byteLength } = call.payload;
    if (this.closed || byteLength > this.options.bounds.payloadBytes) return;
    const functionKey = keyOf(call.account, call.functionName);
    const callKey = keyOf(call.account, call.requestId);
    const key = functionKey + callKey;
    const before = this.pending.get(key)?.call.payload.byteLength;
    if (before === undefined && this.pending.size >= PENDING_MOST) return;
    if (this.pendingBytes - (before ?? 0) + byteLength > PENDING_BYTES) return;
    this.pendingBytes += byteLength - (before ?? 0);
    this.pending.set(key, { call: { ...call, payload: Uint8Array.from(call.payload) }, functionKey, callKey });
    this.timer ??= this.options.clock.after(WRITE_MS, () => {
      this.timer = undefined;
      void this.flush();
    });
  }

  async find(account: string, requestId: string, functionName?: string): Promise<FailedCall | undefined> {
    await this.flush();
    const functionKey = functionName === undefined ? undefined : keyOf(account, functionName);
    const file = this.files.find(keyOf(account, requestId), functionKey);
    if (file === undefined || file.at < this.since()) return undefined;
    // Swept or forgotten meanwhile: then it is not there any more.
    const bytes = await readFile(this.pathOf(file)).catch(() => undefined);
    if (bytes === undefined) return undefined;
    const { vault } = this.options;
    if (vault === undefined) return decode(bytes);
    await vault.ready(account);
    return decode(Buffer.from(vault.open(account, placeOf(file.functionKey, file.callKey), bytes)));
  }

  forget(account: string, functionName: string): Promise<void> {
    const functionKey = keyOf(account, functionName);
    for (const [key, each] of this.pending) {
      if (each.functionKey !== functionKey) continue;
      this.pending.delete(key);
      this.pendingBytes -= each.call.payload.byteLength;
    }
    return this.inTurn(() => this.remove(this.files.ofFunction(functionKey)));
  }

  async close(): Promise<void> {
    this.closed = true;
    this.timer?.dispose();
    this.sweepTimer?.dispose();
    await this.flush();
  }

  private flush(): Promise<void> {
    return this.inTurn(async () => {
      const batch = [...this.pending];
      if (batch.length === 0) return;
      for (const [key, each] of batch) {
        // Forgotten, or replaced by a later failure, while those before it were written.
        if (this.pending.get(key) !== each) continue;
        this.pending.delete(key);
        this.pendingBytes -= each.call.payload.byteLength;
        await this.write(each);
      }
      await this.sweep();
    });
  }

  private async write({ call, functionKey, callKey }: Pending): Promise<void> {
    const { vault } = this.options;
    await vault?.ready(call.account);
    const plain = encode(call);
    const bytes = vault === undefined ? plain : vault.seal(call.account, placeOf(functionKey, callKey), plain);
    const file = keptFile(functionKey, callKey, call.at, bytes.byteLength);
    const path = this.pathOf(file);
    await mkdir(join(this.options.dir, functionKey), { recursive: true, mode: 0o700 });
    await writeFile(`${path}.new`, bytes, { mode: 0o600 });
    await rename(`${path}.new`, path);
    const before = this.files.find(callKey, functionKey);
    this.files.add(file);
    if (before !== undefined) {
      this.files.delete(before);
      if (before.name !== file.name) await rm(this.pathOf(before), { force: true });
    }
  }

  private async sweep(): Promise<void> {
    const { bytes, perFunction } = this.options.bounds;
    await this.remove(this.files.beyond({ bytes, perFunction, since: this.since() }));
  }

  private sweepLater(): void {
    this.sweepTimer = this.options.clock.after(SWEEP_MS, () => {
      void this.inTurn(() => this.sweep());
      this.sweepLater();
    });
  }

  private async remove(files: readonly KeptFile[]): Promise<void> {
    for (const file of files) {
      await rm(this.pathOf(file), { force: true });
      this.files.delete(file);
      if (this.files.ofFunction(file.functionKey).length > 0) continue;
      // Not empty when something foreign lies in it: that is none of ours to remove.
      await rmdir(join(this.options.dir, file.functionKey)).catch(() => {});
    }
  }

  private since(): number {
    return this.options.clock.now() - this.options.bounds.keptMs;
  }

  private pathOf(file: KeptFile): string {
    return join(this.options.dir, file.functionKey, file.name);
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    this.work = this.work.then(work).catch((error: unknown) => {
      this.options.logger.log('warn', 'payloads of failed calls could not be kept', { error: String(error) });
    });
    return this.work;
  }
}

/** Names of callers' choosing must not become names of files. */
function keyOf(account: string, name: string): string {
  return createHash('sha256').update(`${account}\n${name}`).digest('hex').slice(0, 32);
}

function placeOf(functionKey: string, callKey: string): string {
  return `failed call ${functionKey} ${callKey}`;
}

function encode({ payload, ...head }: FailedCall): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), payload]);
}

function decode(bytes: Buffer): FailedCall {
  const end = bytes.indexOf(10);
  // Written by `encode` alone, whole or not at all.
  const head = JSON.parse(bytes.subarray(0, end).toString('utf8')) as Omit<FailedCall, 'payload'>;
  return { ...head, payload: bytes.subarray(end + 1) };
}

/** Opens the folder, which is made when it is not there. */
export async function openFailedCalls(options: FailedCallFilesOptions): Promise<FailedCalls> {
  const files = new FailedCallFiles(options);
  await files.load();
  return files;
}

/** Removes everything that was ever kept there. */
export async function removeFailedCalls(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true });
}
