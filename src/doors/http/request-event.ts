import { pathOf, queryPairs } from '../wire/query.ts';
import { timestamp } from '../wire/timestamp.ts';
import { canonicalName, type HeaderPairs } from './header-rules.ts';

export interface HttpEventSource {
  readonly method: string;
  /** As the function shall see it. */
  readonly target: string;
  readonly headers: HeaderPairs;
  readonly body: Buffer;
  readonly accountId: string;
  readonly domainName: string;
  readonly domainPrefix: string;
  readonly requestId: string;
  readonly triggerId: string;
  readonly httpVersion: string;
  readonly sourceIp: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** The event of version `v1` that built-in runtimes get for an HTTP request (FC reference 4.4), as JSON bytes. */
export function requestEvent(source: HttpEventSource): Buffer {
  const { body } = source;
  const headers = joined(source.headers.map(([name, value]) => [canonicalName(name), value]));
  const rawPath = pathOf(source.target);
  const isText = isTextType(headers['Content-Type'] ?? '');
  const event = {
    version: 'v1',
    rawPath,
    headers,
    queryParameters: joined(queryPairs(source.target.slice(rawPath.length + 1))),
    body: isText ? body.toString('utf8') : body.toString('base64'),
    isBase64Encoded: !isText,
    requestContext: {
      accountId: source.accountId,
      domainName: source.domainName,
      domainPrefix: source.domainPrefix,
      requestId: source.requestId,
      triggerId: source.triggerId,
      time: timestamp(source.now),
      timeEpoch: String(source.now),
      http: {
        method: source.method,
        path: decoded(rawPath),
        protocol: `HTTP/${source.httpVersion}`,
        sourceIp: source.sourceIp,
        userAgent: headers['User-Agent'] ?? '',
      },
    },
  };
  return Buffer.from(JSON.stringify(event));
}

const TEXT_TYPES = new Set([
  'application/json',
  'application/ld+json',
  'application/xhtml+xml',
  'application/xml',
  'application/atom+xml',
  'application/javascript',
]);

/** Whether a body of this content type travels as text; everything else, and no type at all, travels as base64. */
export function isTextType(contentType: string): boolean {
  const type = (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();
  return type.startsWith('text/') || TEXT_TYPES.has(type);
}

/** Repeated names joined with a comma. */
function joined(pairs: HeaderPairs): Record<string, string> {
  const record: Record<string, string> = {};
  for (const [name, value] of pairs) {
    const before = Object.hasOwn(record, name) ? record[name] : undefined;
    // defineProperty: a query may carry the name __proto__
    Object.defineProperty(record, name, {
      value: before === undefined ? value : `${before},${value}`,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return record;
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
