import { type KeyObject, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { TidemillError } from '../../core/domain/errors.ts';
import type { MasterKey } from '../../core/ports/master-key.ts';
import type { Vault } from '../../core/ports/vault.ts';
import { type DataKeys, DataKeyFiles } from './data-keys.ts';
import { headOf, openRecord, OVERHEAD, recordKey, SALT, sealRecord } from './envelope.ts';
import { openPieces, plainSizeOf, sealPieces } from './stream.ts';

export interface EnvelopeVaultOptions {
  /** Folder of the wrapped data keys; useless without the master key. */
  readonly folder: string;
  readonly master: MasterKey;
  /** Told when wrapping anew after a rotation failed; it is tried again with the next rotation or start. */
  readonly onError: (error: Error) => void;
  readonly onRewrapped?: (accounts: number) => void;
  /** False: leaves it to another process to wrap data keys anew after a rotation. */
  readonly rewraps?: boolean;
}

export interface EnvelopeVault extends Vault {
  /** Resolves when what a rotation began has ended. */
  close(): Promise<void>;
}

/** Keys drawn from data keys by salt: one for each process that sealed something, and one for each large object. */
const RECORD_KEYS = 10_000;

interface Sealing {
  readonly keys: DataKeys;
  readonly salt: Buffer;
  readonly key: KeyObject;
  count: bigint;
}

/**
 * The vault on this machine: data keys wrapped by the master key lie in files, plain ones only in memory. When the master key is
 * rotated all data keys are wrapped anew, while sealing and opening go on.
 */
export async function openEnvelopeVault(options: EnvelopeVaultOptions): Promise<EnvelopeVault> {
  const files = new DataKeyFiles(options.folder, options.master);
  await files.open();
  return new FileVault(files, options);
}

class FileVault implements EnvelopeVault {
  readonly overhead = OVERHEAD;
  private readonly files: DataKeyFiles;
  private readonly accounts = new Map<string, Sealing>();
  private readonly loading = new Map<string, Promise<void>>();
  private readonly recordKeys = new LRUCache<string, KeyObject>({ max: RECORD_KEYS });
  private readonly options: EnvelopeVaultOptions;
  private readonly subscription: { dispose(): void };
  private rewrapping: Promise<void>;

  constructor(files: DataKeyFiles, options: EnvelopeVaultOptions) {
    this.files = files;
    this.options = options;
    // A rotation while nothing ran is made up for.
    const rewraps = options.rewraps ?? true;
    this.rewrapping = rewraps ? this.rewrap() : Promise.resolve();
    this.subscription = options.master.onRotated(() => {
      if (rewraps) this.rewrapping = this.rewrapping.then(() => this.rewrap());
    });
  }

  ready(account: string): Promise<void> | undefined {
    if (this.accounts.has(account)) return undefined;
    let loading = this.loading.get(account);
    if (loading === undefined) {
      loading = this.load(account).finally(() => this.loading.delete(account));
      this.loading.set(account, loading);
    }
    return loading;
  }

  seal(account: string, place: string, plain: Uint8Array): Uint8Array {
    const sealing = this.sealingOf(account);
    const { keys, salt, key } = sealing;
    return sealRecord(
      key,
      { version: keys.secrets.length, salt, count: sealing.count++ },
      about(account, place),
      plain,
    );
  }

  open(account: string, place: string, sealed: Uint8Array): Uint8Array {
    const { keys } = this.sealingOf(account);
    const head = headOf(sealed);
    const secret = head === undefined ? undefined : keys.secrets[head.version - 1];
    if (head === undefined || secret === undefined) throw damaged(place);
    const id = `${account} ${head.version} ${head.salt.toString('latin1')}`;
    let key = this.recordKeys.get(id);
    if (key === undefined) {
      key = recordKey(secret, head.salt);
      this.recordKeys.set(id, key);
    }
    try {
      return openRecord(key, about(account, place), sealed);
    } catch {
      throw damaged(place);
    }
  }

  sealStream(account: string, plain: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    return sealPieces((place, bytes) => this.seal(account, place, bytes), plain);
  }

  openStream(account: string, sealed: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    return openPieces((place, bytes) => this.open(account, place, bytes), sealed);
  }

  plainSize(sealedSize: number): number | undefined {
    return plainSizeOf(sealedSize);
  }

  async close(): Promise<void> {
    this.subscription.dispose();
    await this.rewrapping;
  }

  private async load(account: string): Promise<void> {
    const keys = await this.files.read(account);
    const newest = keys.secrets.at(-1);
    if (newest === undefined) throw new Error(`the key file of ${account} holds no key`);
    const salt = randomBytes(SALT);
    this.accounts.set(account, { keys, salt, key: recordKey(newest, salt), count: 0n });
  }

  private sealingOf(account: string): Sealing {
    const sealing = this.accounts.get(account);
    if (sealing === undefined)
      throw new Error(`the keys of the account ${account} are not at hand: await ready() first`);
    return sealing;
  }

  private async rewrap(): Promise<void> {
    try {
      const accounts = await this.files.rewrap();
      if (accounts > 0) this.options.onRewrapped?.(accounts);
    } catch (error) {
      this.options.onError(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

function about(account: string, place: string): Buffer {
  return Buffer.from(`${account}\0${place}`);
}

function damaged(place: string): TidemillError {
  return new TidemillError('InternalServerError', `what is stored at ${place} does not open: it was changed or moved`, {
    remedy: 'Put back a copy of the data folder from before; then check the disk and who can write to it.',
  });
}
