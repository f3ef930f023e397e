import type { Clock } from '../../core/base/clock.ts';
import { functionArn } from '../../core/domain/arn.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { asksForNothing, type ReservedConfigRecord, type ReservedKind } from '../../core/domain/reserved-config.ts';
import type { Input, ListQuery, Page, ReservedConfigView } from '../../core/ports/control.ts';
import type { ReservedConfigs } from '../../core/ports/reserved-instances.ts';
import type { FunctionDocument, ReservedConfigDocument } from './documents.ts';
import type { Document, DocumentStore } from './document-store.ts';
import { invalid } from './fields.ts';
import type { FunctionHeads } from './function-heads.ts';
import { functionOfKey, keys } from './keys.ts';
import { fromToken, pageLimit, takePage } from './paging.ts';
import { readProvisionInput } from './provision-input.ts';
import { readScalingInput } from './scaling-input.ts';

const CONFLICT = {
  provision: { code: 'ProvisionConfigExist', what: 'provision config' },
  scaling: { code: 'ResidentScalingConfigExists', what: 'scaling config' },
} as const;

/**
 * Configs of reserved instances per function and qualifier (FC reference 1.5). Provision and scaling configs share one place, so a
 * qualifier has one or the other. Put replaces.
 */
export class ProvisionConfigs {
  private readonly heads: FunctionHeads;
  private readonly clock: Clock;

  constructor(heads: FunctionHeads, clock: Clock) {
    this.heads = heads;
    this.clock = clock;
  }

  /** Throws InvalidArgument, NotSupported, InstanceMetricsRequired, ProvisionConfigExist, ResidentScalingConfigExists. */
  put(
    kind: ReservedKind,
    account: string,
    name: string,
    qualifier: string | undefined,
    input: Input,
  ): Promise<ReservedConfigView> {
    return this.heads.exclusive(account, name, async (head) => {
      const resolved = await this.checkQualifier(head, qualifier);
      const key = keys.reserved(account, name, resolved);
      const before = (await this.heads.child<ReservedConfigDocument>(head, key))?.value.record;
      if (before !== undefined && before.kind !== kind && !asksForNothing(before)) throw exists(before);
      const now = this.clock.now();
      const settings = (kind === 'provision' ? readProvisionInput : readScalingInput)(input, now, before);
      if (settings.tracking.length > 0) await this.checkMetrics(account, name, resolved);
      const record: ReservedConfigRecord = {
        account,
        functionName: name,
        qualifier: resolved,
        ...settings,
        lastModifiedTime: now,
      };
      const document: ReservedConfigDocument = { functionId: head.value.record.functionId, record };
      await this.heads.documents.put(key, document);
      return this.view(record);
    });
  }

  /** Only the head and aliases may have reserved instances, not version numbers. */
  private async checkQualifier(head: Document<FunctionDocument>, qualifier: string | undefined): Promise<string> {
    const resolved = await this.heads.checkQualifier(head, qualifier);
    if (!/^\d+$/.test(resolved)) return resolved;
    throw invalid(
      'qualifier',
      `must be LATEST or an alias, not the version '${resolved}'`,
      'Create an alias for the version.',
    );
  }

  private async checkMetrics(account: string, name: string, qualifier: string): Promise<void> {
    const { config } = await this.heads.view(account, name, qualifier);
    if (config.logConfig?.enableInstanceMetrics === true) return;
    throw new TidemillError(
      'InstanceMetricsRequired',
      `target tracking needs the instance metrics of function '${name}', which are off`,
    );
  }

  private view(record: ReservedConfigRecord): ReservedConfigView {
    const { account, functionName, qualifier } = record;
    return { record, functionArn: functionArn(this.heads.region, account, functionName, qualifier) };
  }

  /** Undefined when there is none of this kind; throws when function or qualifier do not exist. */
  async get(
    kind: ReservedKind,
    account: string,
    name: string,
    qualifier: string | undefined,
  ): Promise<ReservedConfigView | undefined> {
    const found = await this.find(await this.heads.read(account, name), kind, qualifier);
    return found === undefined ? undefined : this.view(found.value.record);
  }

  private async find(
    head: Document<FunctionDocument>,
    kind: ReservedKind,
    qualifier: string | undefined,
  ): Promise<Document<ReservedConfigDocument> | undefined> {
    const { account, name } = head.value.record;
    const resolved = await this.heads.checkQualifier(head, qualifier);
    const found = await this.heads.child<ReservedConfigDocument>(head, keys.reserved(account, name, resolved));
    return found?.value.record.kind === kind ? found : undefined;
  }

  /** Deleting what does not exist leaves things as asked. */
  async delete(kind: ReservedKind, account: string, name: string, qualifier: string | undefined): Promise<void> {
    await this.heads.exclusive(account, name, async (head) => {
      const found = await this.find(head, kind, qualifier);
      if (found !== undefined) await this.heads.documents.delete(found.key);
    });
  }

  async list(
    kind: ReservedKind,
    account: string,
    functionName: string | undefined,
    query: ListQuery,
  ): Promise<Page<ReservedConfigView>> {
    const limit = pageLimit(query.limit);
    const after = fromToken(query.nextToken);
    const one = functionName !== undefined && functionName !== '';
    if (one) await this.heads.read(account, functionName);
    const below = one ? keys.reservedOfFunction(account, functionName) : keys.reservedOf(account);
    return takePage(
      this.heads.documents.scan<ReservedConfigDocument>(below, { after }),
      limit,
      (item) => item.key,
      async ({ key, value }) => {
        if (value.record.kind !== kind) return undefined;
        const head = await this.heads.documents.cached<FunctionDocument>(
          keys.function(account, functionOfKey(key).name),
        );
        return head?.record.functionId === value.functionId ? this.view(value.record) : undefined;
      },
    );
  }
}

/** Deleting a function, or the alias named, is refused while its reserved instances are asked for. */
export async function refuseReserved(
  documents: DocumentStore,
  head: Document<FunctionDocument>,
  aliasName?: string,
): Promise<void> {
  const { account, name, functionId } = head.value.record;
  for await (const { value } of documents.scan<ReservedConfigDocument>(keys.reservedOfFunction(account, name))) {
    if (value.functionId !== functionId || asksForNothing(value.record)) continue;
    if (aliasName === undefined || aliasName === value.record.qualifier) throw exists(value.record);
  }
}

function exists({ kind, functionName, qualifier }: ReservedConfigRecord): TidemillError {
  const { code, what } = CONFLICT[kind];
  return new TidemillError(code, `function '${functionName}' has a ${what} for the qualifier '${qualifier}'`);
}

/** The configs as they stand in the store, for the part that keeps the instances. */
export class StoredReservedConfigs implements ReservedConfigs {
  private readonly documents: DocumentStore;

  constructor(documents: DocumentStore) {
    this.documents = documents;
  }

  async of(account: string, functionName: string): Promise<readonly ReservedConfigRecord[]> {
    const found: ReservedConfigRecord[] = [];
    const head = await this.documents.cached<FunctionDocument>(keys.function(account, functionName));
    if (head === undefined) return found;
    const below = keys.reservedOfFunction(account, functionName);
    for await (const { value } of this.documents.scan<ReservedConfigDocument>(below)) {
      if (value.functionId === head.record.functionId) found.push(value.record);
    }
    return found;
  }

  async owners(): Promise<readonly { account: string; functionName: string }[]> {
    const owners = new Map<string, { account: string; functionName: string }>();
    for await (const { key } of this.documents.scan(keys.reservedAll)) {
      const { account, name } = functionOfKey(key);
      owners.set(`${account}/${name}`, { account, functionName: name });
    }
    return [...owners.values()];
  }
}
