import { functionArn, parseFunctionArn } from '../../core/domain/arn.ts';
import type { Tag } from '../../core/domain/function.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import { invalid, isRecord, shown } from './fields.ts';

/** `[{Key,Value}]` of a request (FC reference 1.9), PascalCase as on the wire; lower-case names are taken too. Sorted by key. */
export function readTags(field: string, value: unknown): Tag[] {
  if (!Array.isArray(value)) throw invalid(field, 'must be a list of {Key, Value}');
  const tags = value.map((item: unknown, index) => readTag(`${field}[${index}]`, item));
  for (const [index, tag] of tags.entries()) {
    if (tags.findIndex((other) => other.key === tag.key) !== index)
      throw invalid(field, `has the key '${tag.key}' twice`);
  }
  return checkCount(field, tags);
}

/** Throws InvalidArgument above the number of tags per resource. */
export function checkCount(field: string, tags: readonly Tag[]): Tag[] {
  if (tags.length > LIMITS.tagsPerResource) {
    throw invalid(field, `would be ${tags.length} on one resource, at most ${LIMITS.tagsPerResource} are allowed`);
  }
  return [...tags].sort((a, b) => (a.key < b.key ? -1 : 1));
}

function readTag(name: string, item: unknown): Tag {
  if (!isRecord(item)) throw invalid(name, 'must be an object {Key, Value}');
  for (const field of Object.keys(item)) {
    if (!['Key', 'Value', 'key', 'value'].includes(field)) throw invalid(`${name}.${field}`, 'is not a field of a tag');
  }
  const key = readTagKey(`${name}.Key`, item.Key ?? item.key);
  const value = item.Value ?? item.value ?? '';
  if (typeof value !== 'string') throw invalid(`${name}.Value`, `must be a string, not ${shown(value)}`);
  if (value.length > LIMITS.tagValueLength) {
    throw invalid(`${name}.Value`, `is ${value.length} characters long, at most ${LIMITS.tagValueLength} are allowed`);
  }
  if (/https?:\/\//i.test(value)) throw invalid(`${name}.Value`, "must not have 'http://' or 'https://'");
  return { key, value };
}

export function readTagKey(name: string, key: unknown): string {
  if (typeof key !== 'string' || key === '') throw invalid(name, 'is required but not provided');
  if (key.length > LIMITS.tagKeyLength) {
    throw invalid(name, `is ${key.length} characters long, at most ${LIMITS.tagKeyLength} are allowed`);
  }
  if (/^(aliyun|acs:)/i.test(key)) throw invalid(name, "must not start with 'aliyun' or 'acs:'");
  if (/https?:\/\//i.test(key)) throw invalid(name, "must not have 'http://' or 'https://'");
  return key;
}

/** Function names behind the ARNs of a tag request. Throws InvalidArgument for other kinds of resources. */
export function readResources(account: string, region: string, resourceType: unknown, resourceIds: unknown): string[] {
  checkResourceType(resourceType);
  if (!Array.isArray(resourceIds) || resourceIds.length === 0)
    throw invalid('ResourceId', 'must be a list of function ARNs');
  if (resourceIds.length > 50) throw invalid('ResourceId', `has ${resourceIds.length} items, at most 50 are allowed`);
  const names = resourceIds.map((arn: unknown) => {
    const parsed = typeof arn === 'string' ? parseFunctionArn(arn) : undefined;
    const own = parsed !== undefined && parsed.qualifier === undefined && ['', account].includes(parsed.account);
    if (own) return parsed.name;
    throw invalid(
      'ResourceId',
      `has ${shown(arn)}, which is not the ARN of a function of this account`,
      `The form is ${functionArn(region, account, 'NAME')}.`,
    );
  });
  return [...new Set(names)];
}

export function checkResourceType(resourceType: unknown): void {
  if (typeof resourceType === 'string' && ['function', 'aliyun::fc::function'].includes(resourceType.toLowerCase()))
    return;
  throw invalid('ResourceType', `must be 'function', not ${shown(resourceType)}`, 'Only functions carry tags.');
}
