import { functionArn } from '../../core/domain/arn.ts';
import type { Tag } from '../../core/domain/function.ts';
import type { ListQuery, Page, TaggedResource, TagSelection } from '../../core/ports/control.ts';
import type { FunctionDocument } from './documents.ts';
import { invalid, isNeutral, isRecord } from './fields.ts';
import type { FunctionHeads } from './function-heads.ts';
import { keys } from './keys.ts';
import { fromToken, pageLimit, takePage } from './paging.ts';
import { checkCount, checkResourceType, readResources, readTagKey, readTags } from './tag-rules.ts';

const RESOURCE_TYPE = 'ALIYUN::FC::FUNCTION';

/** A tag to look for; without a value any value matches. */
interface TagFilter {
  readonly key: string;
  readonly value?: string;
}

/** `[{Key, Value?}]` as decoded from JSON. */
export function readTagFilters(field: string, value: unknown): TagFilter[] {
  if (isNeutral(value)) return [];
  if (!Array.isArray(value)) throw invalid(field, 'must be a list of {Key, Value}');
  return value.map((item: unknown, index) => {
    if (!isRecord(item)) throw invalid(`${field}[${index}]`, 'must be an object {Key, Value}');
    const key = item.Key ?? item.key;
    const wanted = item.Value ?? item.value;
    if (typeof key !== 'string' || key === '') throw invalid(`${field}[${index}].Key`, 'is required but not provided');
    if (wanted !== undefined && typeof wanted !== 'string')
      throw invalid(`${field}[${index}].Value`, 'must be a string');
    return wanted === undefined ? { key } : { key, value: wanted };
  });
}

/** True when every filter finds its tag. */
export function hasTags(tags: readonly Tag[], filters: readonly TagFilter[]): boolean {
  return filters.every((filter) =>
    tags.some((tag) => tag.key === filter.key && (filter.value === undefined || filter.value === tag.value)),
  );
}

/** Tags of functions (FC reference 1.9). Tagging is not an update: lastModifiedTime and generation stay. */
export class Tags {
  private readonly heads: FunctionHeads;

  constructor(heads: FunctionHeads) {
    this.heads = heads;
  }

  async tag(account: string, request: TagSelection & { readonly tags?: unknown }): Promise<void> {
    const tags = readTags('Tag', request.tags);
    if (tags.length === 0) throw invalid('Tag', 'is required but not provided');
    const merge = (before: readonly Tag[]): Tag[] =>
      checkCount('Tag', [...before.filter((old) => !tags.some((tag) => tag.key === old.key)), ...tags]);
    await this.changeAll(account, request, merge);
  }

  async untag(
    account: string,
    request: TagSelection & { readonly tagKeys?: unknown; readonly all?: unknown },
  ): Promise<void> {
    const all = request.all === true || request.all === 'true';
    const tagKeys = isNeutral(request.tagKeys) ? [] : request.tagKeys;
    if (!Array.isArray(tagKeys)) throw invalid('TagKey', 'must be a list of keys');
    const names = tagKeys.map((key: unknown, index) => readTagKey(`TagKey[${index}]`, key));
    if (!all && names.length === 0) throw invalid('TagKey', 'is required unless All is true');
    await this.changeAll(account, request, (before) => (all ? [] : before.filter((tag) => !names.includes(tag.key))));
  }

  private async changeAll(
    account: string,
    request: TagSelection,
    change: (before: readonly Tag[]) => Tag[],
  ): Promise<void> {
    const names = readResources(account, this.heads.region, request.resourceType, request.resourceIds);
    for (const name of names) change((await this.heads.read(account, name)).value.record.tags);
    for (const name of names) {
      await this.heads.change(account, name, ({ record, layers }) => ({
        layers,
        record: { ...record, tags: change(record.tags) },
      }));
    }
  }

  async list(
    account: string,
    request: TagSelection & { readonly tags?: unknown },
    query: ListQuery,
  ): Promise<Page<TaggedResource>> {
    checkResourceType(request.resourceType);
    const filters = readTagFilters('Tag', request.tags);
    const limit = pageLimit(query.limit);
    const after = fromToken(query.nextToken);
    const source = isNeutral(request.resourceIds)
      ? this.allHeads(account, after)
      : this.namedHeads(account, request, after);
    const position = (item: TaggedResource & { at: string }): string => item.at;
    const view = ({ resourceId, resourceType, tag }: TaggedResource): TaggedResource => ({
      resourceId,
      resourceType,
      tag,
    });
    return takePage(this.flatten(source, filters, after), limit, position, view);
  }

  private async *allHeads(account: string, after: string | undefined): AsyncGenerator<FunctionDocument> {
    const [name] = after?.split(' ') ?? [];
    if (name !== undefined) {
      const first = await this.heads.documents.read<FunctionDocument>(keys.function(account, name));
      if (first !== undefined) yield first.value;
    }
    const from = name === undefined ? undefined : keys.function(account, name);
    for await (const { value } of this.heads.documents.scan<FunctionDocument>(keys.function(account, ''), {
      after: from,
    })) {
      yield value;
    }
  }

  private async *namedHeads(
    account: string,
    request: TagSelection,
    after: string | undefined,
  ): AsyncGenerator<FunctionDocument> {
    const names = readResources(account, this.heads.region, request.resourceType, request.resourceIds).sort();
    const [from] = after?.split(' ') ?? [];
    for (const name of names) {
      if (from === undefined || name >= from) yield (await this.heads.read(account, name)).value;
    }
  }

  /** One item per tag, positioned at `function key`, which is unique and in order. */
  private async *flatten(
    heads: AsyncIterable<FunctionDocument>,
    filters: readonly TagFilter[],
    after: string | undefined,
  ): AsyncGenerator<TaggedResource & { at: string }> {
    const [fromName, ...rest] = after?.split(' ') ?? [];
    const fromKey = rest.join(' ');
    for await (const { record } of heads) {
      if (!hasTags(record.tags, filters)) continue;
      for (const tag of record.tags) {
        if (record.name === fromName && tag.key <= fromKey) continue;
        const resourceId = functionArn(this.heads.region, record.account, record.name);
        yield { resourceId, resourceType: RESOURCE_TYPE, tag, at: `${record.name} ${tag.key}` };
      }
    }
  }
}
