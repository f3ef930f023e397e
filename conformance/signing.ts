import { createHash, createHmac, randomBytes } from 'node:crypto';
import type { Platform } from './start.ts';

export interface SignedRequest {
  readonly method: string;
  /** Raw path, percent-encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Overrides for what a test wants to be wrong. */
  readonly date?: string;
  readonly nonce?: string;
  readonly secret?: string;
  readonly accessKeyId?: string;
  readonly securityToken?: string;
}

/** URL and headers of a request signed with ACS3-HMAC-SHA256, for what the SDK would never send. */
export function signed(
  platform: Pick<Platform, 'endpoint' | 'accessKeyId' | 'accessKeySecret'>,
  request: SignedRequest,
): { url: string; headers: Record<string, string> } {
  const { method, path, body = '' } = request;
  const query = Object.entries(request.query ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&');
  const sha256 = createHash('sha256').update(body).digest('hex');
  const headers: Record<string, string> = {
    host: new URL(platform.endpoint).host,
    'x-acs-action': 'Conformance',
    'x-acs-content-sha256': sha256,
    'x-acs-date': request.date ?? `${new Date().toISOString().slice(0, 19)}Z`,
    'x-acs-signature-nonce': request.nonce ?? randomBytes(32).toString('hex'),
    'x-acs-version': '2023-03-30',
    ...(request.securityToken === undefined ? {} : { 'x-acs-security-token': request.securityToken }),
  };
  const names = Object.keys(headers).sort();
  const lines = names.map((name) => `${name}:${headers[name]}\n`).join('');
  const canonical = [method, path, query, lines, names.join(';'), sha256].join('\n');
  const digest = createHash('sha256').update(canonical).digest('hex');
  const signature = createHmac('sha256', request.secret ?? platform.accessKeySecret)
    .update(`ACS3-HMAC-SHA256\n${digest}`)
    .digest('hex');
  const credential = request.accessKeyId ?? platform.accessKeyId;
  const authorization = `ACS3-HMAC-SHA256 Credential=${credential},SignedHeaders=${names.join(';')},Signature=${signature}`;
  return {
    url: `${platform.endpoint}${path}${query === '' ? '' : `?${query}`}`,
    headers: { ...headers, authorization },
  };
}

/** Headers for an HTTP trigger with authType `function`: date and an empty token signed, no body. */
export function triggerSigned(platform: Platform, method: string, url: string): Record<string, string> {
  const { pathname, search } = new URL(url);
  const date = new Date().toISOString();
  const canonical = `${method}\n${pathname}\n${search.slice(1)}\nx-acs-date:${date}\nx-acs-security-token:\n\nx-acs-date;x-acs-security-token\n`;
  const digest = createHash('sha256').update(canonical).digest('hex');
  const signature = createHmac('sha256', platform.accessKeySecret).update(`ACS3-HMAC-SHA256\n${digest}`).digest('hex');
  return {
    'x-acs-date': date,
    authorization: `ACS3-HMAC-SHA256 Credential=${platform.accessKeyId},SignedHeaders=x-acs-date;x-acs-security-token,Signature=${signature}`,
  };
}
