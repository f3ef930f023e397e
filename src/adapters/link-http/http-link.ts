import type { Readable } from 'node:stream';
import { type Dispatcher, Pool } from 'undici';
import { toAbortSignal } from '../../core/base/cancel-signal.ts';
import type { HttpCall } from '../../core/domain/invocation.ts';
import type { VersionSpec } from '../../core/domain/version-spec.ts';
import {
  type InstanceAnswer,
  type InstanceCall,
  type InstanceLink,
  LinkBrokenError,
} from '../../core/ports/instance-link.ts';
import { isReset, linkFailure } from './http-failure.ts';
import { type FlatHeaders, forwardedHeaders, InstanceHeaders, replyHeaders } from './instance-headers.ts';

/** Answers up to this announced size are given as one piece: a stream costs more than it saves. */
const WHOLE_BYTES = 64 * 1024;
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** One request as undici takes it. */
interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly headers: FlatHeaders;
  readonly body: Uint8Array | AsyncIterable<Uint8Array> | null;
}

/** InstanceLink to a custom runtime: HTTP/1.1 to the port its own server listens on (FC reference 4.5). */
export class HttpLink implements InstanceLink {
  readonly busyAtConnect: readonly string[] = [];
  readonly closed: Promise<void>;
  private readonly pool: Pool;
  private readonly headers: InstanceHeaders;
  private readonly end = Promise.withResolvers<void>();
  private isClosed = false;

  constructor(origin: string, spec: VersionSpec, region: string) {
    this.closed = this.end.promise;
    this.headers = new InstanceHeaders(spec, region);
    this.pool = new Pool(origin, {
      connections: Math.max(1, spec.config.instanceConcurrency),
      pipelining: 1,
      // The function's own timeout is the only one that counts: it comes by the call's signal.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  async invoke(call: InstanceCall): Promise<InstanceAnswer> {
    if (this.isClosed) throw new LinkBrokenError('the link was closed');
    const signal = toAbortSignal(call.signal);
    if (signal.aborted) throw signal.reason;
    const { input } = call;
    const http = input.kind === 'http';
    const exchange = http ? this.httpExchange(call, input.call) : this.eventExchange(call, input.payload);
    const response = await this.request(exchange, signal);
    // With `responseHeaders: 'raw'` undici gives a flat list where its type says object.
    const flat = response.headers as unknown as string[];
    const payload = await payloadOf(response, flat, signal);
    if (!http) return { errorType: eventErrorType(response.statusCode, flat), payload };
    return { errorType: undefined, payload, reply: { status: response.statusCode, headers: replyHeaders(flat) } };
  }

  drained(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.end.resolve();
    this.pool.destroy().catch(() => {}); // what is in flight has been rejected; nothing else can fail
  }

  private eventExchange(call: InstanceCall, payload: Uint8Array): Exchange {
    const headers = this.headers.of('/invoke', call);
    headers.push('content-type', 'application/octet-stream');
    return { method: 'POST', path: '/invoke', headers, body: payload };
  }

  private httpExchange(call: InstanceCall, http: HttpCall): Exchange {
    const whole = http.body instanceof Uint8Array;
    const headers = forwardedHeaders(http.headers, !whole);
    headers.push(...this.headers.of('/http-invoke', call));
    const body = whole && http.body.byteLength === 0 ? null : http.body;
    return { method: http.method, path: http.target, headers, body };
  }

  /** Only a repeatable request whose connection was gone before an answer is sent a second time. */
  private async request(exchange: Exchange, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    try {
      return await this.send(exchange, signal);
    } catch (error) {
      const repeatable =
        IDEMPOTENT.has(exchange.method) && (exchange.body === null || exchange.body instanceof Uint8Array);
      if (!repeatable || !isReset(error) || signal.aborted || this.isClosed) throw linkFailure(error, signal);
    }
    try {
      return await this.send(exchange, signal);
    } catch (error) {
      throw linkFailure(error, signal);
    }
  }

  private send(exchange: Exchange, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    return this.pool.request({
      method: exchange.method,
      path: exchange.path,
      headers: exchange.headers,
      // undici takes any async iterable; its types name streams only.
      body: exchange.body as Readable | Uint8Array | null,
      signal,
      responseHeaders: 'raw',
    });
  }
}

/** A 4xx or 5xx status, or one in `x-fc-status`, says that the function failed; the body is the result all the same. */
function eventErrorType(status: number, flat: readonly string[]): InstanceAnswer['errorType'] {
  const told = Number(headerOf(flat, 'x-fc-status') ?? status);
  return status >= 400 || told >= 400 ? 'UnhandledInvocationError' : undefined;
}

function headerOf(flat: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < flat.length; i += 2) if (flat[i]?.toLowerCase() === name) return flat[i + 1];
  return undefined;
}

async function payloadOf(
  response: Dispatcher.ResponseData,
  flat: readonly string[],
  signal: AbortSignal,
): Promise<InstanceAnswer['payload']> {
  const announced = headerOf(flat, 'content-length');
  if (announced === undefined || Number(announced) > WHOLE_BYTES) return streamOf(response.body, signal);
  try {
    return await response.body.bytes();
  } catch (error) {
    throw linkFailure(error, signal);
  }
}

/** Reads no faster than the consumer; a consumer that stops early closes the upstream connection. */
async function* streamOf(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of body) yield piece;
  } catch (error) {
    throw linkFailure(error, signal);
  }
}
