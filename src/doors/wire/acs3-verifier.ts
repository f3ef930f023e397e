import type { Clock } from '../../core/base/clock.ts';
import type { Principal } from '../../core/domain/credentials.ts';
import { notSupported, TidemillError } from '../../core/domain/errors.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { Identity } from '../../core/ports/identity.ts';
import type { NonceJournal } from '../../core/ports/nonce-journal.ts';
import {
  type Acs3Authorization,
  canonicalQuery,
  canonicalRequest,
  canonicalUris,
  parseAuthorization,
  sameSignature,
} from './acs3.ts';
import { NonceMemory } from './nonce-memory.ts';
import { SigningKeys } from './signing-key.ts';
import type { RequestHead } from './exchange.ts';

export interface VerifiedRequest {
  readonly principal: Principal;
  /** The SHA-256 (lower-case hex) the body must have; undefined when the client did not sign one (HTTP triggers). */
  readonly bodyHash: string | undefined;
}

/** About 30 MB of fingerprints at most. */
const MAX_REMEMBERED = 1_000_000;
const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/;
const SHA256_HEX = /^[0-9a-f]{64}$/;

/** Verifies ACS3 signatures, clock skew and replays (FC reference 2.3). One per process: it holds the replay memory. */
export class Acs3Verifier {
  private readonly identity: Pick<Identity, 'findKey' | 'noteUse'>;
  private readonly clock: Clock;
  private readonly keys = new SigningKeys();
  /** The last date seen, as text and as time: a busy server sees the same second many times. */
  private dateText = '';
  private dateMs = Number.NaN;
  private readonly nonces: NonceMemory;

  /** Without a journal, what an earlier process let in passes again. */
  constructor(deps: {
    readonly identity: Pick<Identity, 'findKey' | 'noteUse'>;
    readonly clock: Clock;
    readonly nonces?: NonceJournal | undefined;
  }) {
    this.nonces = new NonceMemory(LIMITS.signatureSkewSeconds, MAX_REMEMBERED, deps.nonces);
    this.identity = deps.identity;
    this.clock = deps.clock;
  }

  /** Who signed an API request, whose host, date and body hash must be signed; throws the TidemillError to answer with. */
  verifyApi(req: RequestHead): VerifiedRequest {
    const authorization = this.authorization(req);
    const date = this.checkedDate(req);
    for (const name of ['host', 'x-acs-date', 'x-acs-content-sha256']) {
      if (!authorization.signedHeaders.includes(name)) throw unsigned(name);
    }
    const bodyHash = header(req, 'x-acs-content-sha256');
    if (!SHA256_HEX.test(bodyHash)) throw missing('x-acs-content-sha256');
    return { principal: this.verify(req, authorization, date, bodyHash, false), bodyHash };
  }

  /** Who signed an HTTP-trigger request: the variant where body and host are usually not signed. */
  verifyTrigger(req: RequestHead): VerifiedRequest {
    if (req.headers.authorization === undefined) throw missing('Authorization');
    const authorization = this.authorization(req);
    const date = this.checkedDate(req);
    if (!authorization.signedHeaders.includes('x-acs-date')) throw unsigned('x-acs-date');
    const bodySigned = authorization.signedHeaders.includes('x-acs-content-sha256');
    const bodyHash = bodySigned ? header(req, 'x-acs-content-sha256') : '';
    const principal = this.verify(req, authorization, date, bodyHash, true);
    return { principal, bodyHash: SHA256_HEX.test(bodyHash) ? bodyHash : undefined };
  }

  private authorization(req: RequestHead): Acs3Authorization {
    const value = req.headers.authorization;
    if (value === undefined) {
      if (req.headers['x-acs-bearer-token'] !== undefined) {
        throw notSupported('Bearer-token signing', 'Sign requests with an access key and ACS3-HMAC-SHA256.');
      }
      throw new TidemillError('AccessDenied', 'The request is not signed: it has no Authorization header');
    }
    if (value.startsWith('FC ')) {
      throw notSupported("The legacy 'FC' signature", 'Sign with ACS3-HMAC-SHA256, as current SDKs do.');
    }
    if (value.startsWith('acs ')) {
      throw notSupported("The signature version 'v2' (HMAC-SHA1)", "Leave the SDK's signatureAlgorithm unset.");
    }
    const authorization = parseAuthorization(value);
    if (authorization === undefined) {
      throw new TidemillError('AccessDenied', 'The Authorization header is not a well-formed ACS3-HMAC-SHA256 one');
    }
    return authorization;
  }

  private checkedDate(req: RequestHead): number {
    const text = header(req, 'x-acs-date');
    if (text === '') throw missing('x-acs-date');
    if (text !== this.dateText) {
      this.dateText = text;
      this.dateMs = DATE.test(text) ? Date.parse(text) : Number.NaN;
    }
    const date = this.dateMs;
    if (Number.isNaN(date)) {
      throw new TidemillError(
        'InvalidArgument',
        `The header x-acs-date '${text}' is not of the form YYYY-MM-DDTHH:MM:SSZ`,
      );
    }
    if (Math.abs(this.clock.now() - date) > LIMITS.signatureSkewSeconds * 1000) throw this.tooFar(text);
    return date;
  }

  private verify(
    req: RequestHead,
    authorization: Acs3Authorization,
    date: number,
    payloadHash: string,
    trigger: boolean,
  ): Principal {
    const { accessKeyId, signedHeaders, signedNames, signature } = authorization;
    const token = header(req, 'x-acs-security-token');
    const known = this.identity.findKey(accessKeyId, token === '' ? undefined : token);
    if (known === undefined) throw new TidemillError('InvalidAccessKeyID', `invalid access key ID '${accessKeyId}'`);
    const target = req.url ?? '/';
    const mark = target.indexOf('?');
    const query = mark < 0 ? '' : canonicalQuery(target.slice(mark + 1));
    let headers = '';
    for (const name of signedHeaders) headers += `${name}:${header(req, name)}\n`;
    const method = req.method ?? 'GET';
    const key = this.keys.of(known.secret);
    const matches = canonicalUris(mark < 0 ? target : target.slice(0, mark), trigger).some((uri) =>
      sameSignature(signature, key.sign(canonicalRequest({ method, uri, query, headers, signedNames, payloadHash }))),
    );
    if (!matches) {
      throw new TidemillError(
        'SignatureNotMatch',
        'The request signature we calculated does not match the signature you provided. Check your access key and signing method',
      );
    }
    this.checkReplay(req, authorization, date, trigger);
    this.identity.noteUse(known.principal);
    return known.principal;
  }

  /** HTTP triggers promise no nonce, and a client may repeat a signed GET: only what carries a signed nonce is checked there. */
  private checkReplay(req: RequestHead, authorization: Acs3Authorization, date: number, trigger: boolean): void {
    const nonce = authorization.signedHeaders.includes('x-acs-signature-nonce')
      ? header(req, 'x-acs-signature-nonce')
      : '';
    if (nonce === '' && trigger) return;
    const key = `${authorization.accessKeyId}\n${nonce === '' ? authorization.signature : nonce}`;
    const outcome = this.nonces.remember(key, date, this.clock.now());
    if (outcome === 'seen') {
      throw new TidemillError(
        'AccessDenied',
        'The request was received before: its x-acs-signature-nonce is already used',
        {
          remedy: 'Sign every request anew, with a fresh nonce and date.',
        },
      );
    }
    if (outcome === 'forgotten') throw this.tooFar(header(req, 'x-acs-date'));
  }

  private tooFar(date: string): TidemillError {
    const now = new Date(this.clock.now()).toISOString();
    return new TidemillError(
      'AccessDenied',
      `the difference between the request time '${date}' and the current time '${now}' is too large`,
      { remedy: 'Correct the clock of the caller and sign the request again.' },
    );
  }
}

/** A header's canonical value: trimmed, repeated ones sorted and joined, absent ones empty. */
function header(req: RequestHead, name: string): string {
  const value = req.headers[name];
  if (value === undefined) return '';
  if (typeof value === 'string' && value.indexOf(', ') < 0) return isTrimmed(value) ? value : value.trim();
  const values = req.headersDistinct[name] ?? [];
  return values
    .map((each) => each.trim())
    .sort()
    .join(',');
}

/** True when both ends are visible ASCII: then there is nothing to trim. */
function isTrimmed(value: string): boolean {
  const first = value.charCodeAt(0);
  const last = value.charCodeAt(value.length - 1);
  return first > 0x20 && first < 0x7f && last > 0x20 && last < 0x7f;
}

function missing(name: string): TidemillError {
  return new TidemillError('MissingRequiredHeader', `required HTTP header ${name} was not specified`);
}

function unsigned(name: string): TidemillError {
  return new TidemillError('AccessDenied', `The header ${name} is not among the SignedHeaders`, {
    remedy: `Sign at least the headers that name host, date and body hash.`,
  });
}
