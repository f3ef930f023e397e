import { lookup } from 'node:dns';
import { Agent as HttpAgent, type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { networkInterfaces } from 'node:os';
import { TidemillError } from '../../core/domain/errors.ts';
import type { WebhookReply, WebhookSender } from '../../core/ports/webhook-sender.ts';
import { AddressPolicy } from './address-policy.ts';

export interface WebhookOptions {
  /** Loopback and private networks that may be sent to, as `address/bits`. */
  readonly allow: readonly string[];
  /** Ports of the platform: no address of this machine is called there. Read for every call. */
  readonly ownPorts: () => readonly number[];
}

/** So much of an answer is kept for the record. */
const TEXT_BYTES = 1_024;

/** Webhooks over HTTP and HTTPS, to checked addresses only. Throws when a network in `allow` is none. */
export function createWebhookSender(options: WebhookOptions): WebhookSender {
  return new HttpWebhookSender(options);
}

class HttpWebhookSender implements WebhookSender {
  private readonly policy: AddressPolicy;
  private readonly ownPorts: () => readonly number[];
  private readonly http = new HttpAgent({ keepAlive: false });
  private readonly https = new HttpsAgent({ keepAlive: false });

  constructor({ allow, ownPorts }: WebhookOptions) {
    this.policy = new AddressPolicy(allow);
    this.ownPorts = ownPorts;
  }

  async post(
    url: string,
    body: Uint8Array,
    options: {
      readonly headers: Readonly<Record<string, string>>;
      readonly timeoutMs: number;
      readonly signal: AbortSignal;
    },
  ): Promise<WebhookReply> {
    const target = new URL(url);
    const secure = target.protocol === 'https:';
    const port = target.port === '' ? (secure ? 443 : 80) : Number(target.port);
    // A literal address is connected to without a look-up; a name is checked when it is looked up, and used as it was then.
    const literal = target.hostname.replace(/^\[|\]$/g, '');
    if (isIP(literal) !== 0) this.check(literal, port);
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs)]);
    const settings = {
      method: 'POST',
      agent: secure ? this.https : this.http,
      headers: { ...options.headers, 'content-length': body.byteLength },
      lookup: this.checkedLookup(port),
      signal,
    };
    const request = secure ? requestHttps(target, settings) : requestHttp(target, settings);
    return await exchange(request, body);
  }

  close(): void {
    this.http.destroy();
    this.https.destroy();
  }

  private check(address: string, port: number): void {
    const own = this.ownPorts().includes(port) && (this.policy.isLocal(address) || isOwn(address));
    const reason = own ? `${address}:${port} is the platform itself` : this.policy.refusal(address);
    if (reason === undefined) return;
    throw new TidemillError('AccessDenied', `the webhook is not called: ${reason}`, {
      remedy: 'Use a public address, or have the operator allow the network (docs/reference/destinations.md).',
    });
  }

  private checkedLookup(port: number): LookupFunction {
    return (hostname, options, callback) => {
      lookup(hostname, { ...options, all: true }, (error, addresses) => {
        if (error !== null) return callback(error, []);
        try {
          // One bad address among several is enough: which one is used is not ours to say.
          for (const { address } of addresses) this.check(address, port);
        } catch (refusal) {
          return callback(refusal as Error, []);
        }
        if (options.all === true) return callback(null, addresses);
        const [first] = addresses;
        return callback(null, first?.address ?? '', first?.family);
      });
    };
  }
}

function exchange(request: ClientRequest, body: Uint8Array): Promise<WebhookReply> {
  return new Promise((resolve, reject) => {
    request.once('error', reject);
    request.once('response', (response: IncomingMessage) => {
      const pieces: Buffer[] = [];
      let size = 0;
      const done = (): void => {
        const text = Buffer.concat(pieces).subarray(0, TEXT_BYTES).toString();
        resolve({ status: response.statusCode ?? 0, text });
        response.destroy();
      };
      response.on('data', (piece: Buffer) => {
        pieces.push(piece);
        size += piece.byteLength;
        if (size >= TEXT_BYTES) done();
      });
      response.once('end', done);
      response.once('error', reject);
    });
    request.end(body);
  });
}

function isOwn(address: string): boolean {
  return Object.values(networkInterfaces()).some((each) => each?.some((entry) => entry.address === address));
}
