import { request, type IncomingHttpHeaders } from 'node:http';
import { loopbackAgent } from './endpoint.ts';

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Whether the server asked for the body (100-continue). */
  readonly continued: boolean;
}

/** One request as given, without a client's ideas about it. `body` waits for leave when `expect` is sent. */
export function raw(
  url: string | URL,
  options: { method?: string; headers?: Record<string, string>; body?: string | Uint8Array; path?: string } = {},
): Promise<RawAnswer> {
  const { body, method = 'GET', headers = {} } = options;
  return new Promise((resolve, reject) => {
    const target = new URL(url);
    const path = options.path ?? target.pathname + target.search;
    const agent = loopbackAgent();
    const outgoing = request({ host: target.hostname, port: target.port, path, method, headers, agent }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        outgoing.destroy();
        agent.destroy();
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text, continued });
      });
    });
    let continued = false;
    outgoing.on('error', reject);
    if (headers['expect'] === undefined) {
      outgoing.end(body);
      return;
    }
    outgoing.on('continue', () => {
      continued = true;
      outgoing.end(body);
    });
    outgoing.flushHeaders();
  });
}

/** The Code of an error document. */
export function errorCode(answer: RawAnswer): string | undefined {
  return /<Code>([^<]*)<\/Code>/.exec(answer.text)?.[1];
}
