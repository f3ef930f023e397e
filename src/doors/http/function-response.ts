import { TidemillError } from '../../core/domain/errors.ts';
import { type HeaderPairs, responseHeaders } from './header-rules.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: HeaderPairs;
  readonly body: Buffer;
}

const OPEN_BRACE = 0x7b;
const JSON_TYPE = ['Content-Type', 'application/json'] as const;

/**
 * The HTTP answer that a built-in runtime's output stands for (FC reference 4.4): a JSON object with `statusCode` is taken
 * apart, anything else is the body of a 200. Throws BadResponse for a status or header that HTTP cannot carry.
 */
export function functionResponse(output: Buffer): HttpAnswer {
  const value = parseObject(output);
  if (value === undefined || value['statusCode'] === undefined) {
    return { status: 200, headers: [JSON_TYPE], body: output };
  }
  const headers = responseHeaders(headerPairs(value['headers']), false);
  const typed = headers.some(([name]) => name.toLowerCase() === 'content-type');
  return {
    status: statusOf(value['statusCode']),
    headers: typed ? headers : [JSON_TYPE, ...headers],
    body: bodyOf(value['body'], value['isBase64Encoded'] === true),
  };
}

function parseObject(output: Buffer): Readonly<Record<string, unknown>> | undefined {
  let start = 0;
  while (start < output.length && (output[start] ?? 0) <= 0x20) start++;
  if (output[start] !== OPEN_BRACE) return undefined;
  try {
    return JSON.parse(output.toString('utf8')) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}

function statusOf(value: unknown): number {
  const status = typeof value === 'string' && /^\d{3}$/.test(value) ? Number(value) : value;
  if (typeof status === 'number' && Number.isInteger(status) && status >= 200 && status <= 599) return status;
  throw new TidemillError('BadResponse', `the function answered with statusCode ${JSON.stringify(value)}`, {
    remedy: 'Answer with a statusCode between 200 and 599.',
  });
}

/** Values that are arrays become several Set-Cookie lines, or one joined line of any other header. */
function headerPairs(value: unknown): HeaderPairs {
  if (typeof value !== 'object' || value === null) return [];
  const pairs: (readonly [string, string])[] = [];
  for (const [name, content] of Object.entries(value)) {
    if (content === null || content === undefined) continue;
    if (!Array.isArray(content)) pairs.push([name, String(content)]);
    else if (name.toLowerCase() === 'set-cookie') for (const each of content) pairs.push([name, String(each)]);
    else pairs.push([name, content.map(String).join(',')]);
  }
  return pairs;
}

function bodyOf(value: unknown, base64: boolean): Buffer {
  if (value === undefined || value === null) return Buffer.alloc(0);
  if (typeof value !== 'string') return Buffer.from(JSON.stringify(value));
  return base64 && isBase64(value) ? Buffer.from(value, 'base64') : Buffer.from(value);
}

/** What does not decode is sent as it is. */
function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}
