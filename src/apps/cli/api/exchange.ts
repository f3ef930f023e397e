import { Agent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as TlsAgent, request as httpsRequest } from 'node:https';
import { pipeline } from 'node:stream';
import type { Readable } from 'node:stream';
import { unreachable } from '../failure.ts';

export interface Exchange {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | Readable;
  readonly signal?: AbortSignal;
}

/** A platform that does not even take a connection is not there; how long an answer takes is the function's matter. */
const CONNECT_MS = 10_000;
const plain = new Agent({ keepAlive: false });
const secure = new TlsAgent({ keepAlive: false });

/** One request; resolves with the answer's head, its body still streaming. Rejects with an unreachable Failure on any break before that. */
export function exchange({ method, url, headers, body, signal }: Exchange): Promise<IncomingMessage> {
  const tls = url.startsWith('https:');
  const send = tls ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const outgoing = send(url, {
      method,
      headers,
      agent: tls ? secure : plain,
      ...(signal === undefined ? {} : { signal }),
    });
    const broken = (error: Error): void => reject(signal?.aborted === true ? signal.reason : broke(url, error));
    outgoing.on('socket', (socket) => {
      if (!socket.connecting) return;
      const timer = setTimeout(() => outgoing.destroy(new Error(`no connection in ${CONNECT_MS} ms`)), CONNECT_MS);
      socket.once('connect', () => clearTimeout(timer));
      socket.once('close', () => clearTimeout(timer));
    });
    outgoing.on('response', resolve);
    outgoing.on('error', broken);
    if (body === undefined || body instanceof Uint8Array) outgoing.end(body);
    else {
      // An answer that comes before the body is through is the answer: it says why.
      pipeline(body, outgoing, (error) => {
        if (error && !outgoing.destroyed) outgoing.destroy(error);
      });
    }
  });
}

/** The whole body. */
export async function readAll(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of answer as AsyncIterable<Uint8Array>) chunks.push(chunk);
  } catch (error) {
    throw broke('the platform', error instanceof Error ? error : new Error(String(error)));
  }
  return Buffer.concat(chunks);
}

/** What a broken connection means for the person at the terminal. */
export function broke(url: string, error: Error): Error {
  const code = (error as NodeJS.ErrnoException).code;
  const where = url.startsWith('http') ? new URL(url).origin : url;
  const refused = code === 'ECONNREFUSED';
  return unreachable(
    refused ? `nothing is listening at ${where}` : `the connection to ${where} broke: ${error.message || code}`,
    refused
      ? 'Start the platform with `tidemill up`, or set TIDEMILL_ENDPOINT to where it runs.'
      : 'Check TIDEMILL_ENDPOINT and whether the platform is still running, then try again.',
  );
}
