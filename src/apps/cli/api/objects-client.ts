import { createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { Culprit } from '../../../core/domain/errors.ts';
import { EXIT, Failure, usage } from '../failure.ts';
import { encodeStrictly } from './acs3.ts';
import type { Connection } from './connection.ts';
import { exchange, readAll } from './exchange.ts';

export interface ObjectInfo {
  readonly key: string;
  readonly size: number;
  readonly lastModified: string;
  readonly etag: string;
}

export interface ObjectPage {
  readonly objects: readonly ObjectInfo[];
  /** Common prefixes, when a delimiter was given. */
  readonly folders: readonly string[];
}

interface ObjectsRequest {
  readonly method: string;
  readonly bucket?: string;
  readonly key?: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | Readable;
  readonly signal?: AbortSignal;
}

/** Query parameters among those we send that OSS signature version 1 counts as part of the resource. */
const SIGNED = new Set(['continuation-token']);

/** The object store's own endpoint, in path style, signed with OSS signature version 1. Bodies stream both ways. */
export class ObjectsClient {
  private readonly endpoint: string;
  private readonly connection: Connection;

  constructor(connection: Connection) {
    if (connection.objectsEndpoint === undefined) {
      throw usage(
        `the objects endpoint of ${connection.endpoint} is not known`,
        'Set TIDEMILL_OBJECTS_ENDPOINT, e.g. http://127.0.0.1:9528.',
      );
    }
    this.endpoint = connection.objectsEndpoint;
    this.connection = connection;
  }

  /** Makes a bucket; false when it was there already and is ours. */
  async makeBucket(bucket: string): Promise<boolean> {
    const before = await this.buckets();
    await this.done({ method: 'PUT', bucket });
    return !before.some((one) => one.name === bucket);
  }

  async deleteBucket(bucket: string): Promise<void> {
    await this.done({ method: 'DELETE', bucket });
  }

  async buckets(): Promise<readonly { name: string; created: string }[]> {
    const found: { name: string; created: string }[] = [];
    let marker: string | undefined;
    do {
      const page = await this.document({ method: 'GET', query: { marker } });
      const buckets = (page['Buckets'] as Record<string, unknown> | undefined)?.['Bucket'];
      for (const one of many(buckets)) found.push({ name: field(one, 'Name'), created: field(one, 'CreationDate') });
      marker = page['IsTruncated'] === 'true' ? field(page, 'NextMarker') : undefined;
    } while (marker !== undefined && marker !== '');
    return found;
  }

  /** Every object of a bucket below a prefix, page by page. */
  async *list(bucket: string, prefix: string, delimiter?: string): AsyncGenerator<ObjectPage> {
    let token: string | undefined;
    do {
      const page = await this.document({
        method: 'GET',
        bucket,
        query: {
          'list-type': '2',
          'max-keys': '1000',
          prefix,
          delimiter,
          'encoding-type': 'url',
          'continuation-token': token,
        },
      });
      yield {
        objects: many(page['Contents']).map((one) => ({
          key: decodeURIComponent(field(one, 'Key')),
          size: Number(field(one, 'Size')),
          lastModified: field(one, 'LastModified'),
          etag: field(one, 'ETag').replaceAll('"', ''),
        })),
        folders: many(page['CommonPrefixes']).map((one) => decodeURIComponent(field(one, 'Prefix'))),
      };
      token = page['IsTruncated'] === 'true' ? field(page, 'NextContinuationToken') : undefined;
    } while (token !== undefined && token !== '');
  }

  async put(bucket: string, key: string, body: Uint8Array | Readable, size: number, type: string): Promise<void> {
    await this.done({
      method: 'PUT',
      bucket,
      key,
      body,
      headers: { 'content-length': String(size), 'content-type': type },
    });
  }

  /** The answer, its body still streaming. */
  get(bucket: string, key: string): Promise<IncomingMessage> {
    return this.open({ method: 'GET', bucket, key });
  }

  async copy(from: { bucket: string; key: string }, to: { bucket: string; key: string }): Promise<void> {
    const source = `/${from.bucket}/${encodePath(from.key)}`;
    await this.done({ method: 'PUT', ...to, headers: { 'x-oss-copy-source': source } });
  }

  async remove(bucket: string, key: string): Promise<void> {
    await this.done({ method: 'DELETE', bucket, key });
  }

  private async done(request: ObjectsRequest): Promise<void> {
    await readAll(await this.open(request));
  }

  private async document(request: ObjectsRequest): Promise<Record<string, unknown>> {
    const text = (await readAll(await this.open(request))).toString('utf8');
    const { XMLParser } = await import('fast-xml-parser');
    // Every value stays a text: a key may look like a number.
    const parsed = new XMLParser({ parseTagValue: false, trimValues: false, ignoreAttributes: true }).parse(
      text,
    ) as Record<string, unknown>;
    const root = Object.entries(parsed).find(([name]) => !name.startsWith('?'))?.[1];
    return typeof root === 'object' && root !== null ? (root as Record<string, unknown>) : {};
  }

  private async open(request: ObjectsRequest): Promise<IncomingMessage> {
    const { method, bucket, key, body, signal } = request;
    const query = Object.entries(request.query ?? {}).filter((pair): pair is [string, string] => pair[1] !== undefined);
    const search = query.map(([name, value]) => `${name}=${encodeStrictly(value)}`).join('&');
    const path = bucket === undefined ? '/' : `/${bucket}${key === undefined ? '/' : `/${encodePath(key)}`}`;
    const headers: Record<string, string> = { ...request.headers, date: new Date().toUTCString() };
    if (body === undefined && method === 'PUT') headers['content-length'] = '0';
    const resource = bucket === undefined ? '/' : `/${bucket}/${key ?? ''}`;
    headers['authorization'] = this.authorization(method, headers, resource, query);
    const answer = await exchange({
      method,
      url: `${this.endpoint}${path}${search === '' ? '' : `?${search}`}`,
      headers,
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    });
    if ((answer.statusCode ?? 500) >= 400) throw await refusal(answer);
    return answer;
  }

  private authorization(
    method: string,
    headers: Readonly<Record<string, string>>,
    resource: string,
    query: readonly (readonly [string, string])[],
  ): string {
    const { id, secret } = this.connection.key;
    const own = Object.keys(headers)
      .filter((name) => name.startsWith('x-oss-'))
      .sort()
      .map((name) => `${name}:${headers[name]}\n`);
    const counted = query.filter(([name]) => SIGNED.has(name)).map(([name, value]) => `${name}=${value}`);
    const target = counted.length === 0 ? resource : `${resource}?${counted.join('&')}`;
    const text = `${method}\n\n${headers['content-type'] ?? ''}\n${headers['date']}\n${own.join('')}${target}`;
    return `OSS ${id}:${createHmac('sha1', secret).update(text, 'utf8').digest('base64')}`;
  }
}

function encodePath(key: string): string {
  return key.split('/').map(encodeStrictly).join('/');
}

/** XML has no lists: one element parses as itself. */
function many(value: unknown): readonly Record<string, unknown>[] {
  if (value === undefined || value === '') return [];
  return (Array.isArray(value) ? value : [value]) as Record<string, unknown>[];
}

function field(holder: Readonly<Record<string, unknown>>, name: string): string {
  const value = holder[name];
  return typeof value === 'string' ? value : '';
}

const PLATFORM_STATUS = 500;

async function refusal(answer: IncomingMessage): Promise<Failure> {
  const text = (await readAll(answer)).toString('utf8');
  const part = (name: string): string | undefined => {
    const found = new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1];
    return found?.replace(/&(lt|gt|quot|apos|amp|#39);/g, (entity) => ENTITIES[entity] ?? entity);
  };
  const status = answer.statusCode ?? PLATFORM_STATUS;
  const culprit: Culprit = status >= PLATFORM_STATUS && status !== 501 ? 'platform' : 'caller';
  const requestId = part('RequestId');
  return new Failure(EXIT.failed, part('Message') ?? `the object store answered HTTP ${status}`, {
    code: part('Code') ?? `HTTP${status}`,
    culprit,
    ...(requestId === undefined ? {} : { requestId }),
  });
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&apos;': "'",
  '&#39;': "'",
  '&amp;': '&',
};
