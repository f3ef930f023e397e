import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { TidemillError } from '../../core/domain/errors.ts';
import type { WebhookSource } from '../../core/domain/trigger.ts';

/** A request header by its lower-case name. */
export type HeaderLookup = (name: string) => string | undefined;

/** How far the time in a signature may lie from ours, seconds: the tolerance that Standard Webhooks recommends. */
const TIMESTAMP_TOLERANCE_S = 300;

/**
 * Throws InvalidWebhookSignature unless the sender knows the secret.
 *
 * GitHub: `X-Hub-Signature-256`, an HMAC-SHA256 over the body. GitLab: with a signing token (`whsec_...`) the headers
 * `webhook-id`, `webhook-timestamp` and `webhook-signature` of Standard Webhooks; else the secret token itself, in
 * `X-Gitlab-Token`. `nowMs`: wall clock.
 */
export function checkSignature(source: WebhookSource, header: HeaderLookup, body: Uint8Array, nowMs: number): void {
  const { provider, secret } = source;
  if (provider === 'GitHub') return checkGitHub(secret, header, body);
  if (secret.startsWith(SIGNING_TOKEN)) return checkStandard(secret, header, body, nowMs);
  if (!same(required(header, 'x-gitlab-token'), secret)) throw wrong('X-Gitlab-Token is not the secret token');
}

const SIGNING_TOKEN = 'whsec_';

function checkGitHub(secret: string, header: HeaderLookup, body: Uint8Array): void {
  const given = required(header, 'x-hub-signature-256');
  const expected = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
  if (!same(given, expected)) throw wrong('X-Hub-Signature-256 does not fit the body and the secret');
}

function checkStandard(secret: string, header: HeaderLookup, body: Uint8Array, nowMs: number): void {
  const id = required(header, 'webhook-id');
  const timestamp = required(header, 'webhook-timestamp');
  const signatures = required(header, 'webhook-signature');
  const key = Buffer.from(secret.slice(SIGNING_TOKEN.length), 'base64');
  const hmac = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body);
  const expected = `v1,${hmac.digest('base64')}`;
  // while a token is being replaced there is one signature for each
  const fits = signatures.split(' ').map((signature) => same(signature, expected));
  if (!fits.includes(true)) throw wrong('webhook-signature does not fit id, time, body and signing token');
  const seconds = /^\d{1,12}$/.test(timestamp) ? Number(timestamp) : Number.NaN;
  if (!(Math.abs(nowMs / 1000 - seconds) <= TIMESTAMP_TOLERANCE_S)) {
    throw wrong(`webhook-timestamp is more than ${TIMESTAMP_TOLERANCE_S} seconds away from the clock of this server`);
  }
}

function required(header: HeaderLookup, name: string): string {
  const value = header(name);
  if (value === undefined) throw wrong(`the header ${name} is missing`);
  return value;
}

/** Takes as long for every value, whatever it begins with and however long it is. */
function same(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function wrong(what: string): TidemillError {
  return new TidemillError('InvalidWebhookSignature', what);
}
