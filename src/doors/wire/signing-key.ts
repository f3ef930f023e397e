import { hash } from 'node:crypto';

const BLOCK = 64;
const DIGEST = 32;
const PREFIX = 'ACS3-HMAC-SHA256\n';
const MAX_KEYS = 1024;

/**
 * HMAC-SHA256 over the ACS3 string to sign, with the padded key kept ready (RFC 2104): three one-shot hashes are
 * cheaper than an Hmac object, and every signed call pays this. One instance per secret; not for use by several threads.
 */
export class SigningKey {
  private readonly inner = Buffer.alloc(BLOCK + PREFIX.length + 2 * DIGEST);
  private readonly outer = Buffer.alloc(BLOCK + DIGEST);

  constructor(secret: string) {
    const bytes = Buffer.from(secret);
    const key = bytes.length > BLOCK ? hash('sha256', bytes, 'buffer') : bytes;
    for (let i = 0; i < BLOCK; i++) {
      const byte = key[i] ?? 0;
      this.inner[i] = byte ^ 0x36;
      this.outer[i] = byte ^ 0x5c;
    }
    this.inner.write(PREFIX, BLOCK, 'latin1');
  }

  /** Lower-case hex signature of a canonical request. */
  sign(canonicalRequest: string): string {
    this.inner.write(hash('sha256', canonicalRequest), BLOCK + PREFIX.length, 'latin1');
    this.outer.write(hash('sha256', this.inner, 'binary'), BLOCK, 'latin1'); // cheaper than a buffer that is copied
    return hash('sha256', this.outer);
  }
}

/** Keys by secret, bounded: temporary credentials come and go. */
export class SigningKeys {
  private readonly keys = new Map<string, SigningKey>();

  of(secret: string): SigningKey {
    const known = this.keys.get(secret);
    if (known !== undefined) return known;
    if (this.keys.size >= MAX_KEYS) this.keys.clear();
    const key = new SigningKey(secret);
    this.keys.set(secret, key);
    return key;
  }
}
