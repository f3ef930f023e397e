import { TidemillError } from '../../core/domain/errors.ts';
import { INSTALLATION, type Vault } from '../../core/ports/vault.ts';

/** First byte of sealed bytes; the length of the account's name and the name follow, then what the vault made. */
const MARK = 0x53;
const HEAD_BYTES = 2;
const ACCOUNT = /^(\d{16})\//;
/** Rows keep their bytes while they change tables and keys: bytes are bound to their account, not to a row. */
const PLACE = 'queue';

/** Bytes of a queue, sealed for the account that a key names. They say themselves whose they are. */
export class SealedBytes {
  private readonly vault: Vault;

  constructor(vault: Vault) {
    this.vault = vault;
  }

  /** Bytes that sealing adds. */
  added(key: string): number {
    return HEAD_BYTES + accountOf(key).length + this.vault.overhead;
  }

  /** Undefined when nothing has to be waited for before bytes of these keys are sealed. */
  readyFor(keys: Iterable<string>): Promise<unknown> | undefined {
    return this.ready([...keys].map(accountOf));
  }

  /** The same before these bytes are opened. */
  readyToOpen(sealed: Iterable<Uint8Array>): Promise<unknown> | undefined {
    return this.ready([...sealed].flatMap((bytes) => ownerOf(bytes)?.account ?? []));
  }

  seal(key: string, plain: Uint8Array): Uint8Array {
    const account = accountOf(key);
    const sealed = this.vault.seal(account, PLACE, plain);
    const bytes = Buffer.allocUnsafe(HEAD_BYTES + account.length + sealed.byteLength);
    bytes[0] = MARK;
    bytes[1] = account.length;
    bytes.write(account, HEAD_BYTES, 'latin1');
    bytes.set(sealed, HEAD_BYTES + account.length);
    return bytes;
  }

  /** Throws when they are not what was sealed. */
  open(bytes: Uint8Array): Uint8Array {
    const owner = ownerOf(bytes);
    if (owner === undefined) throw damaged();
    const { buffer, byteOffset, byteLength } = this.vault.open(owner.account, PLACE, bytes.subarray(owner.end));
    return new Uint8Array(buffer, byteOffset, byteLength);
  }

  private ready(accounts: readonly string[]): Promise<unknown> | undefined {
    let waiting: Promise<void>[] | undefined;
    for (const account of new Set(accounts)) {
      const ready = this.vault.ready(account);
      if (ready !== undefined) (waiting ??= []).push(ready);
    }
    return waiting === undefined ? undefined : Promise.all(waiting);
  }
}

function damaged(): TidemillError {
  return new TidemillError(
    'InternalServerError',
    'the payload of an event in the queue was not sealed by this installation',
    {
      remedy: 'Put back a copy of the data folder from before; then check the disk and who can write to it.',
    },
  );
}

function accountOf(key: string): string {
  return ACCOUNT.exec(key)?.[1] ?? INSTALLATION;
}

function ownerOf(bytes: Uint8Array): { readonly account: string; readonly end: number } | undefined {
  if (bytes[0] !== MARK) return undefined;
  const end = HEAD_BYTES + (bytes[1] ?? 0);
  const account = Buffer.from(
    bytes.buffer,
    bytes.byteOffset + HEAD_BYTES,
    Math.max(0, Math.min(end, bytes.byteLength) - HEAD_BYTES),
  );
  return { account: account.toString('latin1'), end };
}
