import type { ObjectsRequest } from './request.ts';

/** Whose words the client speaks: Alibaba OSS or Amazon S3. */
export type Dialect = 'oss' | 's3';

/** Prefix of the dialect's own headers. */
export function headerPrefix(dialect: Dialect): 'x-oss-' | 'x-amz-' {
  return dialect === 'oss' ? 'x-oss-' : 'x-amz-';
}

/** Told from the signature, else from any header or parameter of the dialect's own; OSS when nothing tells. */
export function dialectOf(request: ObjectsRequest): Dialect {
  const authorization = request.header('authorization') ?? '';
  if (/^OSS/i.test(authorization)) return 'oss';
  if (/^AWS/i.test(authorization)) return 's3';
  if (request.param('OSSAccessKeyId') !== undefined) return 'oss';
  const names = [...request.headers.keys(), ...request.query.map(([name]) => name.toLowerCase())];
  if (names.some((name) => name.startsWith('x-oss-'))) return 'oss';
  return names.some((name) => /^(x-amz-|amz-sdk-|x-id$|awsaccesskeyid$)/.test(name)) ? 's3' : 'oss';
}
