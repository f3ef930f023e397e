import { TidemillError } from '../../core/domain/errors.ts';
import type { ObjectQuotas, ObjectUsage } from '../../core/ports/object-store.ts';
import { integer } from './rows.ts';
import type { Tables } from './tables.ts';

/**
 * Counts objects and bytes with each bucket, in the transaction of the change, parts of uploads included; and refuses a change that
 * leaves an account with more than its quota.
 */
export class Usage {
  private readonly tables: Tables;
  private readonly quotasOf: (account: string) => ObjectQuotas;
  /** Buckets that have more than before in the transaction under way. */
  private readonly grown = new Set<string>();

  constructor(tables: Tables, quotasOf: (account: string) => ObjectQuotas) {
    this.tables = tables;
    this.quotasOf = quotasOf;
  }

  add(bucket: string, objects: number, bytes: number): void {
    if (objects === 0 && bytes === 0) return;
    this.tables
      .sql('UPDATE bucket SET objects = objects + ?, bytes = bytes + ? WHERE name = ?')
      .run(objects, bytes, bucket);
    if (objects > 0 || bytes > 0) this.grown.add(bucket);
  }

  of(account: string): ObjectUsage {
    const sums = 'SELECT total(objects) AS objects, total(bytes) AS bytes FROM bucket WHERE account = ?';
    const row = this.tables.sql(sums).get(account);
    return row === undefined
      ? { objects: 0, objectBytes: 0 }
      : { objects: integer(row, 'objects'), objectBytes: integer(row, 'bytes') };
  }

  /** Runs a change inside its transaction. Throws LimitExceededError, naming the quota, when an account has too much after it. */
  within<T>(change: () => T): T {
    this.grown.clear();
    const result = change();
    for (const name of this.grown) {
      const { account } = this.tables.requireBucket(name);
      const used = this.of(account);
      const quotas = this.quotasOf(account);
      if (used.objects > quotas.objects) throw over('objects', quotas.objects, 'objects');
      if (used.objectBytes > quotas.objectBytes) throw over('objectBytes', quotas.objectBytes, 'bytes in objects');
    }
    return result;
  }
}

function over(quota: string, most: number, what: string): TidemillError {
  return new TidemillError('LimitExceededError', `the account may have ${most} ${what} (quota ${quota})`, {
    remedy: 'Delete what is not needed, or ask the operator to raise the quota of the account.',
  });
}
