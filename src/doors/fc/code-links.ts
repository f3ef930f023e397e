import { createHmac, timingSafeEqual } from 'node:crypto';

export const CODE_PATH = '/tidemill/code/';
const LIFETIME_MS = 10 * 60_000;
const TOKEN = /^([A-Za-z0-9_]{1,64}\/[0-9a-f]{64})-([0-9a-f]{1,12})-([0-9a-f]{64})$/;

/**
 * Links to stored packages that work with a plain GET (FC reference 1.1, GetFunctionCode): the path itself carries the
 * blob's id, an expiry ten minutes ahead and an HMAC over both.
 */
export class CodeLinks {
  private readonly secret: Uint8Array;
  private readonly publicUrl: () => string;
  private readonly now: () => number;

  constructor(options: { readonly secret: Uint8Array; readonly publicUrl: () => string; readonly now: () => number }) {
    this.secret = options.secret;
    this.publicUrl = options.publicUrl;
    this.now = options.now;
  }

  link(blob: string): string {
    const expiry = Math.floor((this.now() + LIFETIME_MS) / 1000).toString(16);
    return `${this.publicUrl()}${CODE_PATH}${blob}-${expiry}-${this.seal(blob, expiry)}`;
  }

  /** The blob a token gives access to; `expired`, or `forged` when we never made it. */
  open(token: string): { readonly blob: string } | 'expired' | 'forged' {
    const match = TOKEN.exec(token);
    if (match === null) return 'forged';
    const [, blob = '', expiry = '', seal = ''] = match;
    if (!timingSafeEqual(Buffer.from(seal), Buffer.from(this.seal(blob, expiry)))) return 'forged';
    return Number.parseInt(expiry, 16) * 1000 < this.now() ? 'expired' : { blob };
  }

  private seal(blob: string, expiry: string): string {
    return createHmac('sha256', this.secret).update(`code\n${blob}\n${expiry}`).digest('hex');
  }
}
