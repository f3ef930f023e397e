import type { JWTPayload } from 'jose';
import type { PassedClaim } from '../../core/domain/trigger-auth.ts';
import type { HeaderPairs } from './header-rules.ts';
import { cookiePairs } from './jwt-auth.ts';

/** What a trigger tells the function about the caller, by position; a claim that the token does not have is undefined. */
export class PassedClaims {
  private readonly values: readonly (PassedClaim & { readonly value: string | undefined })[];

  constructor(pass: readonly PassedClaim[], claims: JWTPayload | undefined) {
    const own = (name: string): unknown =>
      claims !== undefined && Object.hasOwn(claims, name) ? claims[name] : undefined;
    this.values = pass.map((each) => ({ ...each, value: textOf(own(each.claim)) }));
  }

  get changesForm(): boolean {
    return this.values.some(({ position }) => position === 'form');
  }

  /** Headers as the function sees them. What the caller sent under such a name is gone, be there a claim or not. */
  headers(pairs: HeaderPairs): HeaderPairs {
    const taken = new Set(this.at('header').map(({ as }) => as.toLowerCase()));
    const kept = pairs.filter(([name]) => !taken.has(name.toLowerCase()));
    const added = this.at('header').flatMap(({ as, value }) =>
      value === undefined ? [] : [[as, visible(value)] as const],
    );
    return this.withCookies([...kept, ...added]);
  }

  private withCookies(pairs: HeaderPairs): HeaderPairs {
    const cookies = this.at('cookie');
    if (cookies.length === 0) return pairs;
    const taken = new Set(cookies.map(({ as }) => as));
    const sent = pairs.filter(([name]) => name.toLowerCase() === 'cookie').flatMap(([, value]) => cookiePairs(value));
    const kept = sent.filter(([name]) => !taken.has(name)).map(([name, value]) => `${name}=${value}`);
    const added = cookies.flatMap(({ as, value }) =>
      value === undefined ? [] : [`${as}=${encodeURIComponent(value)}`],
    );
    const others = pairs.filter(([name]) => name.toLowerCase() !== 'cookie');
    const all = [...kept, ...added];
    return all.length === 0 ? others : [...others, ['Cookie', all.join('; ')]];
  }

  /** The same for the parameters of a form. */
  form(body: Buffer): Buffer {
    const parameters = new URLSearchParams(body.toString('utf8'));
    for (const { as, value } of this.at('form')) {
      parameters.delete(as);
      if (value !== undefined) parameters.set(as, value);
    }
    return Buffer.from(parameters.toString());
  }

  private at(position: PassedClaim['position']): readonly (PassedClaim & { readonly value: string | undefined })[] {
    return this.values.filter((each) => each.position === position);
  }
}

function textOf(claim: unknown): string | undefined {
  if (claim === undefined || claim === null) return undefined;
  if (typeof claim === 'string') return claim;
  return typeof claim === 'number' || typeof claim === 'boolean' ? String(claim) : JSON.stringify(claim);
}

/** Percent-encoded where a header cannot have it: a claim never begins a header of its own. */
function visible(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]+/gu, (part) => encodeURIComponent(part.toWellFormed()));
}
