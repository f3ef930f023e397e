import { LIMITS } from '../../core/domain/limits.ts';
import type { TriggerAuth } from '../../core/domain/trigger-auth.ts';
import type { Exchange, RequestHead } from '../wire/exchange.ts';
import type { HeaderPairs } from './header-rules.ts';
import { claimsOf } from './jwt-auth.ts';
import { PassedClaims } from './passed-claims.ts';
import { checkBasic, checkBearer } from './trigger-auth.ts';

/** A caller who has been let in, and what that does to the request. */
export interface Admission {
  /** The body, when it had to be read to let the caller in or to say who it is. */
  readonly body: Buffer | undefined;
  /** The headers that the function sees, from those that were sent. */
  headers(sent: HeaderPairs): HeaderPairs;
}

/** Lets a caller in by what the trigger asks for; throws Unauthorized or AccessDenied with the field's texts (FC reference 6.2). */
export async function admit(auth: TriggerAuth, exchange: Exchange, target: string, now: number): Promise<Admission> {
  const req = exchange.head;
  const asSent: Admission = { body: undefined, headers: (sent) => sent };
  if (auth.kind === 'bearer') {
    checkBearer(auth, req.headers.authorization);
    return asSent;
  }
  if (auth.kind === 'basic') {
    checkBasic(auth, req.headers.authorization);
    return asSent;
  }
  const inForm = auth.lookup.some(({ position }) => position === 'form');
  const read = inForm && isForm(req) ? await exchange.body(LIMITS.syncPayloadBytes, undefined) : undefined;
  const form = read === undefined ? undefined : new URLSearchParams(read.toString('utf8'));
  const claims = await claimsOf(auth, { req, target, form, now });
  if (auth.pass.length === 0) return { ...asSent, body: read };
  const passed = new PassedClaims(auth.pass, claims);
  if (!passed.changesForm || !isForm(req)) return { body: read, headers: (sent) => passed.headers(sent) };
  const body = passed.form(read ?? (await exchange.body(LIMITS.syncPayloadBytes, undefined)));
  return { body, headers: (sent) => withLength(passed.headers(sent), body.length) };
}

function isForm(req: RequestHead): boolean {
  return /^application\/x-www-form-urlencoded\s*(;|$)/i.test(req.headers['content-type'] ?? '');
}

function withLength(headers: HeaderPairs, length: number): HeaderPairs {
  return headers.map(([name, value]) => [name, name.toLowerCase() === 'content-length' ? String(length) : value]);
}
