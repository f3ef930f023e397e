import type { DatabaseSync } from 'node:sqlite';
import { INSTALLATION, type Vault } from '../../core/ports/vault.ts';

/** Sealed text begins with this, which no JSON does. */
const MARK = '~';
const BATCH = 500;
const ACCOUNT = /^[a-z]+\/(\d{16})(?:\/|$)/;

/** Values as they stand in the table: sealed for the account that their key names, else for the installation. */
export class SealedValues {
  private readonly vault: Vault;

  constructor(vault: Vault) {
    this.vault = vault;
  }

  /** Before `seal` and `open` of these keys; undefined when nothing has to be waited for. */
  ready(keys: Iterable<string>): Promise<unknown> | undefined {
    const waiting = new Set<Promise<void>>();
    for (const key of keys) {
      const ready = this.vault.ready(accountOf(key));
      if (ready !== undefined) waiting.add(ready);
    }
    return waiting.size === 0 ? undefined : Promise.all(waiting);
  }

  seal(key: string, text: string): string {
    const sealed = this.vault.seal(accountOf(key), placeOf(key), Buffer.from(text));
    return MARK + Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength).toString('base64');
  }

  /** Throws when it was not sealed for this key. */
  open(key: string, stored: string): string {
    const sealed = Buffer.from(stored.slice(MARK.length), 'base64');
    return Buffer.from(
      this.vault.open(accountOf(key), placeOf(key), stored.startsWith(MARK) ? sealed : EMPTY),
    ).toString();
  }

  /** Seals what an earlier version wrote in the clear, and leaves nothing of it in the file. Gives how many entries. */
  async sealAll(db: DatabaseSync): Promise<number> {
    const plain = db.prepare(`SELECT key, value FROM entries WHERE substr(value, 1, 1) <> '${MARK}' LIMIT ${BATCH}`);
    const update = db.prepare('UPDATE entries SET value = ? WHERE key = ?');
    let count = 0;
    db.exec('PRAGMA secure_delete = ON');
    for (;;) {
      const rows = plain.all().map((row) => ({ key: String(row['key']), value: String(row['value']) }));
      if (rows.length === 0) break;
      await this.ready(rows.map(({ key }) => key));
      db.exec('BEGIN');
      for (const { key, value } of rows) update.run(this.seal(key, value), key);
      db.exec('COMMIT');
      count += rows.length;
    }
    if (count > 0) db.exec('PRAGMA wal_checkpoint(TRUNCATE); VACUUM; PRAGMA wal_checkpoint(TRUNCATE)');
    return count;
  }
}

const EMPTY = Buffer.alloc(0);

function accountOf(key: string): string {
  return ACCOUNT.exec(key)?.[1] ?? INSTALLATION;
}

function placeOf(key: string): string {
  return `metadata ${key}`;
}
