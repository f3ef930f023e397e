import { TidemillError } from '../../core/domain/errors.ts';
import type { ObjectHeaders, ObjectInfo } from '../../core/ports/object-store.ts';
import { type Dialect, headerPrefix } from './dialect.ts';
import type { ObjectsRequest } from './request.ts';

const SYSTEM_HEADERS = ['cache-control', 'content-disposition', 'content-encoding', 'content-language', 'expires'];
const USER_META_BYTES = 8 * 1024;

/** The headers to be stored with an object; values byte for byte as sent. Throws InvalidArgument above 8 KiB of user metadata. */
export function readObjectHeaders(fields: ReadonlyMap<string, string>, dialect: Dialect): ObjectHeaders {
  const metaPrefix = `${headerPrefix(dialect)}meta-`;
  const systemHeaders: Record<string, string> = {};
  const userMeta: Record<string, string> = {};
  let metaBytes = 0;
  for (const [name, value] of fields) {
    if (name.startsWith(metaPrefix)) {
      userMeta[name.slice(metaPrefix.length)] = value;
      metaBytes += name.length - metaPrefix.length + value.length;
    } else if (SYSTEM_HEADERS.includes(name)) {
      const kept = name === 'content-encoding' ? withoutAwsChunked(value) : value;
      if (kept !== '') systemHeaders[name] = kept;
    }
  }
  if (metaBytes > USER_META_BYTES) {
    throw new TidemillError(
      'InvalidArgument',
      `The user metadata has ${metaBytes} bytes, the limit is ${USER_META_BYTES}`,
    );
  }
  const contentType = fields.get('content-type');
  return { systemHeaders, userMeta, ...(contentType === undefined ? {} : { contentType }) };
}

/** `aws-chunked` describes the transfer, not the object. */
function withoutAwsChunked(value: string): string {
  const codings = value.split(',').map((coding) => coding.trim());
  return codings.filter((coding) => coding !== '' && coding.toLowerCase() !== 'aws-chunked').join(',');
}

/** Response headers that describe an object, in the client's dialect. Content-Length is the caller's. */
export function objectResponseHeaders(info: ObjectInfo, dialect: Dialect): Record<string, string> {
  const prefix = headerPrefix(dialect);
  const headers: Record<string, string> = {
    'content-type': info.contentType,
    etag: `"${info.etag}"`,
    'last-modified': new Date(info.lastModified).toUTCString(),
    'accept-ranges': 'bytes',
    ...info.systemHeaders,
  };
  for (const [name, value] of Object.entries(info.userMeta)) headers[`${prefix}meta-${name}`] = value;
  if (dialect === 'oss') {
    headers['x-oss-hash-crc64ecma'] = info.crc64;
    headers['x-oss-object-type'] = info.etag.includes('-') ? 'Multipart' : 'Normal';
    headers['x-oss-storage-class'] = 'Standard';
  }
  return headers;
}

/** `response-content-type` and its like replace headers of the answer. Throws InvalidArgument on what no header can hold. */
export function responseOverrides(request: ObjectsRequest): Record<string, string> {
  const overrides: Record<string, string> = {};
  for (const name of ['content-type', ...SYSTEM_HEADERS]) {
    const value = request.param(`response-${name}`);
    if (value === undefined) continue;
    overrides[name] = toHeaderValue(`response-${name}`, value);
  }
  return overrides;
}

/** Unicode text as header bytes. */
export function toHeaderValue(what: string, text: string): string {
  const value = Buffer.from(text, 'utf8').toString('latin1');
  if (/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) return value;
  throw new TidemillError('InvalidArgument', `${what} has characters that a header cannot hold`);
}
