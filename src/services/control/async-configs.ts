import type { Clock } from '../../core/base/clock.ts';
import { functionArn } from '../../core/domain/arn.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { AsyncInvokeConfigRecord } from '../../core/domain/function.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { AsyncConfigView, Input, ListQuery, Page } from '../../core/ports/control.ts';
import type { AsyncConfigDocument, FunctionDocument } from './documents.ts';
import type { Document } from './document-store.ts';
import { readDestinations } from './destinations.ts';
import { FieldReader } from './fields.ts';
import type { FunctionHeads } from './function-heads.ts';
import { functionOfKey, keys } from './keys.ts';
import { fromToken, pageLimit, takePage } from './paging.ts';

/** Async invoke configs, per function and qualifier (FC reference 1.6, 5). Put replaces; absent fields get their defaults. */
export class AsyncConfigs {
  private readonly heads: FunctionHeads;
  private readonly clock: Clock;

  constructor(heads: FunctionHeads, clock: Clock) {
    this.heads = heads;
    this.clock = clock;
  }

  async put(account: string, name: string, qualifier: string | undefined, input: Input): Promise<AsyncConfigView> {
    const settings = readSettings(new FieldReader(input), account);
    return this.heads.exclusive(account, name, async (head) => {
      const resolved = await this.heads.checkQualifier(head, qualifier);
      const key = keys.asyncConfig(account, name, resolved);
      const before = await this.heads.child<AsyncConfigDocument>(head, key);
      const now = this.clock.now();
      const record: AsyncInvokeConfigRecord = {
        account,
        functionName: name,
        qualifier: resolved,
        ...settings,
        createdTime: before?.value.record.createdTime ?? now,
        lastModifiedTime: now,
      };
      const document: AsyncConfigDocument = { functionId: head.value.record.functionId, record };
      await this.heads.documents.put(key, document);
      return this.view(record);
    });
  }

  private view(record: AsyncInvokeConfigRecord): AsyncConfigView {
    const { account, functionName, qualifier } = record;
    return { record, functionArn: functionArn(this.heads.region, account, functionName, qualifier) };
  }

  private async find(
    head: Document<FunctionDocument>,
    qualifier: string | undefined,
  ): Promise<Document<AsyncConfigDocument>> {
    const { account, name } = head.value.record;
    const resolved = await this.heads.checkQualifier(head, qualifier);
    const found = await this.heads.child<AsyncConfigDocument>(head, keys.asyncConfig(account, name, resolved));
    if (found !== undefined) return found;
    throw new TidemillError(
      'AsyncConfigNotExists',
      `async invoke config of function '${name}' and qualifier '${resolved}' does not exist`,
    );
  }

  async get(account: string, name: string, qualifier: string | undefined): Promise<AsyncConfigView> {
    const found = await this.find(await this.heads.read(account, name), qualifier);
    return this.view(found.value.record);
  }

  async delete(account: string, name: string, qualifier: string | undefined): Promise<void> {
    await this.heads.exclusive(account, name, async (head) => {
      await this.heads.documents.delete((await this.find(head, qualifier)).key);
    });
  }

  async list(account: string, functionName: string | undefined, query: ListQuery): Promise<Page<AsyncConfigView>> {
    const limit = pageLimit(query.limit);
    const after = fromToken(query.nextToken);
    const one = functionName !== undefined && functionName !== '';
    if (one) await this.heads.read(account, functionName);
    const below = one ? keys.asyncConfigs(account, functionName) : keys.asyncConfigsOf(account);
    return takePage(
      this.heads.documents.scan<AsyncConfigDocument>(below, { after }),
      limit,
      (item) => item.key,
      async ({ key, value }) => {
        const head = await this.heads.documents.cached<FunctionDocument>(
          keys.function(account, functionOfKey(key).name),
        );
        return head?.record.functionId === value.functionId ? this.view(value.record) : undefined;
      },
    );
  }
}

type Settings = Pick<
  AsyncInvokeConfigRecord,
  'maxAsyncRetryAttempts' | 'maxAsyncEventAgeInSeconds' | 'asyncTask' | 'onSuccess' | 'onFailure'
>;

function readSettings(reader: FieldReader, account: string): Settings {
  const attempts = reader.integer('maxAsyncRetryAttempts', { min: 0, max: LIMITS.asyncRetryAttemptsMax });
  const age = reader.integer('maxAsyncEventAgeInSeconds', { min: 1, max: LIMITS.asyncEventAgeMaxSeconds });
  const asyncTask = reader.boolean('asyncTask') ?? false;
  const destinations = readDestinations(reader, account);
  reader.done();
  return {
    maxAsyncRetryAttempts: attempts ?? LIMITS.asyncRetryAttemptsDefault,
    maxAsyncEventAgeInSeconds: age ?? LIMITS.asyncEventAgeDefaultSeconds,
    asyncTask,
    ...destinations,
  };
}
