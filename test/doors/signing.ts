import { createHash, createHmac, randomBytes } from 'node:crypto';

export interface SignOptions {
  readonly accessKeyId?: string;
  readonly secret?: string;
  readonly token?: string;
  readonly date?: string;
  readonly nonce?: string;
  readonly host: string;
  readonly method: string;
  /** Raw path, no query. */
  readonly path: string;
  /** Canonical query as is. */
  readonly query?: string;
  readonly body?: string | Uint8Array;
  /** Of the API and of its operation; empty: sent without the headers that name them. */
  readonly version?: string;
  readonly action?: string;
}

/** An independent ACS3 signer for tests: written from the reference, not from the verifier. */
export function signedHeaders(options: SignOptions): Record<string, string> {
  const { accessKeyId = 'AKTEST', secret = 'SKTEST', method, path, query = '', body = '' } = options;
  const bodyHash = createHash('sha256').update(body).digest('hex');
  const headers: Record<string, string> = {
    host: options.host,
    ...(options.action === '' ? {} : { 'x-acs-action': options.action ?? 'X' }),
    'x-acs-content-sha256': bodyHash,
    'x-acs-date': options.date ?? `${new Date().toISOString().slice(0, 19)}Z`,
    'x-acs-signature-nonce': options.nonce ?? randomBytes(32).toString('hex'),
    ...(options.version === '' ? {} : { 'x-acs-version': options.version ?? '2023-03-30' }),
    ...(options.token === undefined ? {} : { 'x-acs-security-token': options.token }),
  };
  const names = Object.keys(headers).sort();
  const lines = names.map((name) => `${name}:${headers[name]}\n`).join('');
  const canonical = [method, path, query, lines, names.join(';'), bodyHash].join('\n');
  const digest = createHash('sha256').update(canonical).digest('hex');
  const signature = createHmac('sha256', secret).update(`ACS3-HMAC-SHA256\n${digest}`).digest('hex');
  return {
    ...headers,
    authorization: `ACS3-HMAC-SHA256 Credential=${accessKeyId},SignedHeaders=${names.join(';')},Signature=${signature}`,
  };
}

/** The HTTP-trigger variant: only the date and an empty token are signed, no body. */
export function triggerHeaders(method: string, path: string, query = '', date?: string): Record<string, string> {
  const at = date ?? new Date().toISOString();
  const canonical = `${method}\n${path}\n${query}\nx-acs-date:${at}\nx-acs-security-token:\n\nx-acs-date;x-acs-security-token\n`;
  const digest = createHash('sha256').update(canonical).digest('hex');
  const signature = createHmac('sha256', 'SKTEST').update(`ACS3-HMAC-SHA256\n${digest}`).digest('hex');
  return {
    'x-acs-date': at,
    authorization: `ACS3-HMAC-SHA256 Credential=AKTEST,SignedHeaders=x-acs-date;x-acs-security-token,Signature=${signature}`,
  };
}
