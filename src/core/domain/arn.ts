/** Resource names in Function Compute's form (FC reference 1.11). */

export function functionArn(region: string, account: string, name: string, qualifier?: string): string {
  return `acs:fc:${region}:${account}:functions/${name}${qualifier === undefined ? '' : `/${qualifier}`}`;
}

export function layerArn(region: string, account: string, layer: string, version: number): string {
  return `acs:fc:${region}:${account}:layers/${layer}/versions/${version}`;
}

/** `functions/f` and `functions/f/q` of a function ARN; the account may be empty (= the caller's own). */
export function parseFunctionArn(arn: string): { account: string; name: string; qualifier?: string } | undefined {
  const match = /^acs:fc:[^:]*:([^:/]*)[:/]functions\/([A-Za-z_][A-Za-z0-9_-]*)(?:\/([A-Za-z0-9_-]+))?$/.exec(arn);
  if (match === null) return undefined;
  const parsed = { account: match[1]!, name: match[2]! };
  return match[3] === undefined ? parsed : { ...parsed, qualifier: match[3] };
}

export function parseLayerArn(arn: string): { account: string; layer: string; version: number } | undefined {
  const match = /^acs:fc:[^:]*:([^:/]*)[:/]layers\/([A-Za-z_][A-Za-z0-9_-]*)\/versions\/(\d+)$/.exec(arn);
  return match === null ? undefined : { account: match[1]!, layer: match[2]!, version: Number(match[3]) };
}

/** The bucket of an OSS trigger's source ARN `acs:oss:{region}:{account}:{bucket}`. */
export function parseBucketArn(arn: string): string | undefined {
  return /^acs:oss:[^:]*:[^:]*:([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])$/.exec(arn)?.[1];
}

/** A bucket, or an object in it, as policies name them. */
export function objectArn(region: string, account: string, bucket: string, key?: string): string {
  return `acs:oss:${region}:${account}:${bucket}${key === undefined ? '' : `/${key}`}`;
}

/**
 * A role's ARN taken apart, and the one way to write it: role names are told apart without regard to case, so that a policy about
 * `role/admin` is one about `role/Admin`.
 */
export function roleOfArn(
  text: string,
): { readonly account: string; readonly name: string; readonly arn: string } | undefined {
  const [, account, name] = /^acs:ram::(\d{1,32}):role\/([A-Za-z0-9._-]{1,64})$/.exec(text) ?? [];
  if (account === undefined || name === undefined) return undefined;
  return { account, name, arn: `acs:ram::${account}:role/${name.toLowerCase()}` };
}
