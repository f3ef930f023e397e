import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Recorded {
  readonly method: string;
  readonly path: string;
  readonly action: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface FakeAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** An HTTP server that records requests and answers them by operation name; everything unknown is answered with `{}`. */
export class FakePlatform {
  readonly requests: Recorded[] = [];
  readonly answers = new Map<string, FakeAnswer | ((request: Recorded) => FakeAnswer)>();
  private readonly server: Server;

  constructor() {
    this.server = createServer((req, res) => {
      const chunks: Buffer[] = [];
      req.on('data', (chunk: Buffer) => chunks.push(chunk));
      req.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const json = req.headers['content-type']?.startsWith('application/json') === true;
        const request: Recorded = {
          method: req.method ?? '',
          path: req.url ?? '',
          action: String(req.headers['x-acs-action'] ?? ''),
          headers: req.headers,
          body: json ? (JSON.parse(text) as Record<string, unknown>) : { text },
        };
        this.requests.push(request);
        const found = this.answers.get(request.action) ?? {};
        const { status = 200, headers = {}, body = {} } = typeof found === 'function' ? found(request) : found;
        res.writeHead(status, { 'x-fc-request-id': '1-fake', ...headers });
        res.end(typeof body === 'string' ? body : JSON.stringify(body));
      });
    });
  }

  async open(): Promise<Readonly<Record<string, string>>> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    const endpoint = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return { TIDEMILL_ENDPOINT: endpoint, TIDEMILL_ACCESS_KEY_ID: 'id', TIDEMILL_ACCESS_KEY_SECRET: 'secret' };
  }

  close(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  actions(): string[] {
    return this.requests.map((request) => request.action);
  }

  bodyOf(action: string): Readonly<Record<string, unknown>> {
    const found = this.requests.find((request) => request.action === action);
    if (found === undefined) throw new Error(`${action} was not called; called were ${this.actions().join(', ')}`);
    return found.body;
  }
}

export function refusal(code: string, status: number, message: string, culprit: string): FakeAnswer {
  return { status, body: { RequestId: '1-refused', Code: code, Message: message, Culprit: culprit } };
}
