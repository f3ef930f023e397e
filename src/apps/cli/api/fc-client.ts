import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Culprit } from '../../../core/domain/errors.ts';
import { EXIT, Failure } from '../failure.ts';
import { canonicalQuery, encodeStrictly, signAcs3 } from './acs3.ts';
import type { Connection } from './connection.ts';
import { broke, exchange, readAll } from './exchange.ts';

export interface CallOptions {
  readonly query?: Readonly<Record<string, string | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly bytes?: Uint8Array;
  /** Unsigned extra headers (`x-fc-...`). */
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Of the API; default that of functions. */
  readonly version?: string;
}

/** Path of the FC API with every `${}` encoded as one segment. */
export function fcPath(parts: TemplateStringsArray, ...names: readonly string[]): string {
  return `/2023-03-30${encoded(parts, names)}`;
}

/** Path of the operations API with every `${}` encoded as one segment. */
export function opsPath(parts: TemplateStringsArray, ...names: readonly string[]): string {
  return `/tidemill/v1${encoded(parts, names)}`;
}

function encoded(parts: TemplateStringsArray, names: readonly string[]): string {
  return parts.reduce(
    (path, part, index) => `${path}${part}${index < names.length ? encodeStrictly(names[index] ?? '') : ''}`,
    '',
  );
}

/** Signed calls to the FC API and the operations API; what the platform refuses becomes a Failure with its words. */
export class FcClient {
  readonly connection: Connection;
  private readonly extraHeaders: Readonly<Record<string, string>>;

  constructor(connection: Connection, extraHeaders: Readonly<Record<string, string>> = {}) {
    this.connection = connection;
    this.extraHeaders = extraHeaders;
  }

  /** The same client, sending further headers with every call. */
  withHeaders(headers: Readonly<Record<string, string>>): FcClient {
    return new FcClient(this.connection, { ...this.extraHeaders, ...headers });
  }

  /** An operation that answers with JSON; `undefined` for an empty answer. */
  async call<T>(action: string, method: string, path: string, options: CallOptions = {}): Promise<T> {
    const answer = await this.open(action, method, path, options);
    const text = (await readAll(answer)).toString('utf8');
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** An operation of RAM. Parameters that are undefined are left out. */
  ram<T>(action: string, parameters: Readonly<Record<string, string | undefined>> = {}): Promise<T> {
    return this.call<T>(action, 'POST', '/', { version: '2015-05-01', query: parameters });
  }

  /** An operation of STS. */
  sts<T>(action: string, parameters: Readonly<Record<string, string | undefined>> = {}): Promise<T> {
    return this.call<T>(action, 'POST', '/', { version: '2015-04-01', query: parameters });
  }

  /** As `call`; undefined when the platform answers with one of `codes`. */
  async find<T>(
    codes: readonly string[],
    action: string,
    method: string,
    path: string,
    options: CallOptions = {},
  ): Promise<T | undefined> {
    try {
      return await this.call<T>(action, method, path, options);
    } catch (error) {
      if (error instanceof Failure && codes.includes(error.code)) return undefined;
      throw error;
    }
  }

  /** An operation whose answer is bytes: head first, body streaming. Rejects for every status of 400 and above. */
  async open(action: string, method: string, path: string, options: CallOptions = {}): Promise<IncomingMessage> {
    const { endpoint, key } = this.connection;
    const query: Record<string, string> = {};
    for (const [name, value] of Object.entries(options.query ?? {})) if (value !== undefined) query[name] = value;
    const body =
      options.bytes ?? (options.body === undefined ? undefined : Buffer.from(JSON.stringify(options.body), 'utf8'));
    const contentType =
      options.bytes !== undefined
        ? 'application/octet-stream'
        : body === undefined
          ? undefined
          : 'application/json; charset=utf-8';
    const host = new URL(endpoint).host;
    const signed = signAcs3({ method, path, query, host, action, version: options.version, body, contentType }, key, {
      now: Date.now(),
      nonce: randomBytes(32).toString('hex'),
    });
    const search = canonicalQuery(query);
    const answer = await exchange({
      method,
      url: `${endpoint}${path}${search === '' ? '' : `?${search}`}`,
      headers: {
        accept: 'application/json',
        ...this.extraHeaders,
        ...options.headers,
        ...signed,
        'content-length': String(body?.length ?? 0),
      },
      ...(body === undefined ? {} : { body }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    if ((answer.statusCode ?? 500) >= 400) throw await refusal(answer);
    return answer;
  }

  /** Every item of a list that comes in pages. */
  async *pages<T>(action: string, path: string, field: string, query: CallOptions['query'] = {}): AsyncGenerator<T> {
    let nextToken: string | undefined;
    do {
      const page: Record<string, unknown> = await this.call(action, 'GET', path, {
        query: { limit: '100', ...query, nextToken },
      });
      yield* (page[field] ?? []) as T[];
      nextToken = typeof page['nextToken'] === 'string' && page['nextToken'] !== '' ? page['nextToken'] : undefined;
    } while (nextToken !== undefined);
  }

  /** Objects of a streamed answer, one for each line. Ends when the platform ends it or `signal` aborts. */
  async *lines<T>(action: string, path: string, options: CallOptions = {}): AsyncGenerator<T> {
    const answer = await this.open(action, 'GET', path, options);
    let rest = '';
    try {
      for await (const chunk of answer.setEncoding('utf8') as AsyncIterable<string>) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) if (line !== '') yield JSON.parse(line) as T;
      }
    } catch (error) {
      if (options.signal?.aborted === true) return;
      throw error instanceof SyntaxError ? error : broke(this.connection.endpoint, error as Error);
    }
  }
}

const CULPRITS: readonly string[] = ['caller', 'function', 'limit', 'platform'];

/** The Failure for an answer of status 400 and above (FC reference 2.4; `Culprit` is ours). */
export async function refusal(answer: IncomingMessage): Promise<Failure> {
  const status = answer.statusCode ?? 500;
  const text = (await readAll(answer)).toString('utf8');
  let parsed: Record<string, unknown> = {};
  try {
    parsed = JSON.parse(text) as Record<string, unknown>;
  } catch {
    // not a platform's answer: shown as it is
  }
  const field = (name: string): string | undefined => {
    const value = parsed[name];
    return typeof value === 'string' ? value : undefined;
  };
  const culprit = field('Culprit') ?? '';
  const header = answer.headers['x-fc-request-id'];
  const requestId = field('RequestId') ?? (typeof header === 'string' ? header : undefined);
  return new Failure(EXIT.failed, field('Message') ?? `the answer was HTTP ${status}: ${text.slice(0, 300)}`, {
    code: field('Code') ?? `HTTP${status}`,
    culprit: CULPRITS.includes(culprit) ? (culprit as Culprit) : status >= 500 ? 'platform' : 'caller',
    ...(requestId === undefined ? {} : { requestId }),
  });
}
