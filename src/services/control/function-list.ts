import type { FunctionView, ListFunctionsQuery, Page } from '../../core/ports/control.ts';
import type { FunctionDocument } from './documents.ts';
import { invalid, shown } from './fields.ts';
import type { FunctionHeads } from './function-heads.ts';
import { keys } from './keys.ts';
import { isName } from './names.ts';
import { fromToken, pageLimit, takePage } from './paging.ts';
import { hasTags, readTagFilters } from './tags.ts';

/** Functions of an account in order of their names, filtered (FC reference 1.1). */
export async function listFunctions(
  heads: FunctionHeads,
  account: string,
  query: ListFunctionsQuery,
): Promise<Page<FunctionView>> {
  const limit = pageLimit(query.limit);
  const after = fromToken(query.nextToken);
  const matches = readFilter(query);
  const prefix = query.prefix ?? '';
  if (prefix !== '' && !isName(prefix)) return { items: [] };
  return takePage(
    heads.documents.scan<FunctionDocument>(keys.function(account, prefix), { after }),
    limit,
    (item) => item.key,
    ({ value }) => (matches(value) ? heads.headView(value) : undefined),
  );
}

function readFilter(query: ListFunctionsQuery): (document: FunctionDocument) => boolean {
  if (!['', 'v2', 'v3'].includes(query.fcVersion ?? '')) {
    throw invalid('fcVersion', `must be v2 or v3, not ${shown(query.fcVersion)}`);
  }
  const nothing = query.fcVersion === 'v2' || (query.gpuType ?? '') !== '';
  const tags = readTagFilters('tags', parseTags(query.tags));
  const same = (wanted: string | undefined, value: string): boolean => (wanted ?? '') === '' || wanted === value;
  return ({ record }) =>
    !nothing &&
    same(query.runtime, record.config.runtime) &&
    same(query.functionName, record.name) &&
    same(query.resourceGroupId, record.resourceGroupId ?? '') &&
    record.config.description.includes(query.description ?? '') &&
    hasTags(record.tags, tags);
}

function parseTags(tags: string | undefined): unknown {
  if (tags === undefined || tags === '') return [];
  try {
    return JSON.parse(tags) as unknown;
  } catch {
    throw invalid('tags', `must be a JSON list of {Key, Value}, not ${shown(tags)}`);
  }
}
