import { isChecksumOfNothing } from './checksums.ts';
import type { ObjectsRequest } from './request.ts';

/** Parameters of the signature itself. */
const SIGNATURE = /^x-amz-(algorithm|credential|date|expires|signedheaders|signature|security-token|content-sha256)$/i;

/**
 * The AWS SDK moves `x-amz-` headers of a presigned request into its query: here they become headers again. A real header
 * of the same name wins (it was signed too). A checksum of no bytes is dropped: the SDK signs before it has a body and
 * writes one down for every upload to come.
 */
export function restoreHoistedHeaders(request: ObjectsRequest): ObjectsRequest {
  if (request.param('X-Amz-Algorithm') === undefined) return request;
  const hoisted = request.query.filter(([name]) => /^x-amz-/i.test(name) && !SIGNATURE.test(name));
  if (hoisted.length === 0) return request;
  const headers = new Map(request.headers);
  for (const [name, value] of hoisted) {
    const header = name.toLowerCase();
    if (headers.has(header) || isChecksumOfNothing(header, value)) continue;
    headers.set(header, Buffer.from(value, 'utf8').toString('latin1'));
  }
  const query = request.query.filter((pair) => !hoisted.includes(pair));
  return {
    ...request,
    headers,
    query,
    header: (name) => headers.get(name),
    param: (name) => query.find(([candidate]) => candidate === name)?.[1],
  };
}
