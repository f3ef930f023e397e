import { createHash, createHmac } from 'node:crypto';

export interface AccessKey {
  readonly id: string;
  readonly secret: string;
  /** Of temporary keys. */
  readonly token?: string | undefined;
}

export interface UnsignedRequest {
  readonly method: string;
  /** Path as sent, each segment percent-encoded. */
  readonly path: string;
  /** Several values of one name keep their order. */
  readonly query: Readonly<Record<string, string | readonly string[]>>;
  readonly host: string;
  /** Name of the operation. */
  readonly action: string;
  /** Of the API; default that of functions. */
  readonly version?: string | undefined;
  readonly body: Uint8Array | undefined;
  readonly contentType: string | undefined;
}

const ALGORITHM = 'ACS3-HMAC-SHA256';

/** The query as it is both signed and sent: sorted, values encoded without exception (FC reference 2.3). */
export function canonicalQuery(query: Readonly<Record<string, string | readonly string[]>>): string {
  return Object.keys(query)
    .sort((a, b) => (a < b ? -1 : 1))
    .flatMap((key) => [query[key] ?? ''].flat().map((value) => `${key}=${encodeStrictly(value)}`))
    .join('&');
}

/** One path segment or query value: everything but letters, digits and `-_.~` is percent-encoded. */
export function encodeStrictly(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Headers of a request signed with ACS3-HMAC-SHA256 (FC reference 2.2, 2.3); `x-fc-` headers are added by the caller, unsigned. */
export function signAcs3(
  request: UnsignedRequest,
  key: AccessKey,
  moment: { readonly now: number; readonly nonce: string },
): Record<string, string> {
  const hash = sha256(request.body ?? '');
  const headers: Record<string, string> = {
    host: request.host,
    'x-acs-version': request.version ?? '2023-03-30',
    'x-acs-action': request.action,
    'x-acs-date': `${new Date(moment.now).toISOString().slice(0, 19)}Z`,
    'x-acs-signature-nonce': moment.nonce,
    'x-acs-credentials-provider': 'static_ak',
    'x-acs-content-sha256': hash,
  };
  if (key.token !== undefined) headers['x-acs-security-token'] = key.token;
  if (request.contentType !== undefined) headers['content-type'] = request.contentType;
  const names = Object.keys(headers).sort();
  const uri = request.path.replaceAll('+', '%20').replaceAll('*', '%2A').replaceAll('%7E', '~');
  const lines = names.map((name) => `${name}:${headers[name]?.trim()}\n`).join('');
  const canonical = [request.method, uri, canonicalQuery(request.query), lines, names.join(';'), hash].join('\n');
  const signature = createHmac('sha256', key.secret)
    .update(`${ALGORITHM}\n${sha256(canonical)}`)
    .digest('hex');
  headers['authorization'] =
    `${ALGORITHM} Credential=${key.id},SignedHeaders=${names.join(';')},Signature=${signature}`;
  return headers;
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
