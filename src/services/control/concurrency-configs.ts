import { functionArn } from '../../core/domain/arn.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { FunctionRecord } from '../../core/domain/function.ts';
import type { Quotas } from '../../core/ports/accounts.ts';
import type { ConcurrencyConfigView, Input, ListQuery, Page } from '../../core/ports/control.ts';
import type { FunctionDocument } from './documents.ts';
import { FieldReader, invalid } from './fields.ts';
import type { FunctionHeads } from './function-heads.ts';
import { functionOfKey, keys } from './keys.ts';
import { fromToken, pageLimit, takePage } from './paging.ts';

/** All functions together may reserve this share of the account's instances (FC reference 7). */
const RESERVABLE_SHARE = 0.9;

/** Instance quotas of functions (FC reference 1.5, 7). The head of the function holds the number; a marker makes it listable. */
export class ConcurrencyConfigs {
  private readonly heads: FunctionHeads;

  private readonly quotas: Pick<Quotas, 'of'>;

  constructor(heads: FunctionHeads, quotas: Pick<Quotas, 'of'>) {
    this.heads = heads;
    this.quotas = quotas;
  }

  async put(account: string, name: string, input: Input): Promise<ConcurrencyConfigView> {
    const reservable = Math.floor(this.quotas.of(account).instances * RESERVABLE_SHARE);
    const reader = new FieldReader(input);
    const reserved = reader.integer('reservedConcurrency', { min: 0, max: reservable });
    reader.done();
    if (reserved === undefined) throw invalid('reservedConcurrency', 'is required but not provided');
    return this.heads.exclusive(account, name, async () => {
      const others = await this.reservedByOthers(account, name);
      if (others + reserved > reservable) {
        throw new TidemillError(
          'LimitExceededError',
          `reservedConcurrency ${reserved} is too much: other functions reserve ${others} of the ${reservable} instances that may be reserved`,
        );
      }
      await this.heads.documents.put(keys.concurrency(account, name), 1);
      const next = await this.heads.change(account, name, ({ record, layers }) => ({
        layers,
        record: { ...record, reservedConcurrency: reserved },
      }));
      return this.view(next.record) ?? this.missing(name);
    });
  }

  private async reservedByOthers(account: string, name: string): Promise<number> {
    let sum = 0;
    for await (const { key } of this.heads.documents.scan(keys.concurrencyOf(account))) {
      const other = functionOfKey(key).name;
      if (other === name) continue;
      const head = await this.heads.documents.cached<FunctionDocument>(keys.function(account, other));
      sum += head?.record.reservedConcurrency ?? 0;
    }
    return sum;
  }

  private view(record: FunctionRecord): ConcurrencyConfigView | undefined {
    const { account, name, reservedConcurrency } = record;
    if (reservedConcurrency === undefined) return undefined;
    return { functionArn: functionArn(this.heads.region, account, name), functionName: name, reservedConcurrency };
  }

  private missing(name: string): never {
    throw new TidemillError('OnDemandConfigNotFound', `concurrency config of function '${name}' does not exist`);
  }

  async get(account: string, name: string): Promise<ConcurrencyConfigView> {
    return this.view((await this.heads.read(account, name)).value.record) ?? this.missing(name);
  }

  /** Throws OnDemandConfigNotFound when there is none. */
  async delete(account: string, name: string): Promise<void> {
    await this.heads.exclusive(account, name, async (head) => {
      if (head.value.record.reservedConcurrency === undefined) this.missing(name);
      await this.heads.change(account, name, ({ record, layers }) => {
        const { reservedConcurrency: _, ...rest } = record;
        return { layers, record: rest };
      });
      await this.heads.documents.delete(keys.concurrency(account, name));
    });
  }

  async list(
    account: string,
    functionName: string | undefined,
    query: ListQuery,
  ): Promise<Page<ConcurrencyConfigView>> {
    const limit = pageLimit(query.limit);
    const after = fromToken(query.nextToken);
    if (functionName !== undefined && functionName !== '') {
      const one = this.view((await this.heads.read(account, functionName)).value.record);
      return { items: one === undefined ? [] : [one] };
    }
    return takePage(
      this.heads.documents.scan(keys.concurrencyOf(account), { after }),
      limit,
      (item) => item.key,
      async ({ key }) => {
        const head = await this.heads.documents.cached<FunctionDocument>(
          keys.function(account, functionOfKey(key).name),
        );
        return head === undefined ? undefined : this.view(head.record);
      },
    );
  }
}
