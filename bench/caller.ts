import { Client } from 'undici';
import { signed } from '../conformance/signing.ts';
import type { Platform } from '../conformance/start.ts';

/** Calls functions by signed requests over kept-alive connections: what an SDK's own work costs is not in the numbers. */
export class Caller {
  private readonly platform: Platform;
  private readonly clients: Client[] = [];
  private readonly free: Client[] = [];

  constructor(platform: Platform) {
    this.platform = platform;
  }

  /** Milliseconds from sending the call to having its whole answer. Rejects when the function failed. */
  async call(name: string, payload = 'x'): Promise<number> {
    const path = `/2023-03-30/functions/${name}/invocations`;
    const { headers } = signed(this.platform, { method: 'POST', path, body: payload });
    const client = this.free.pop() ?? this.connected();
    const begin = performance.now();
    const answer = await client.request({ method: 'POST', path, headers, body: payload });
    const text = await answer.body.text();
    const ms = performance.now() - begin;
    this.free.push(client);
    if (answer.statusCode !== 200 || answer.headers['x-fc-error-type'] !== undefined) {
      throw new Error(`${name} answered ${answer.statusCode}: ${text}`);
    }
    return ms;
  }

  async close(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.close()));
  }

  private connected(): Client {
    const client = new Client(this.platform.endpoint, { headersTimeout: 60_000, bodyTimeout: 60_000 });
    this.clients.push(client);
    return client;
  }
}
