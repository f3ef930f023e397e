import { createHash, timingSafeEqual } from 'node:crypto';
import { TidemillError } from '../../core/domain/errors.ts';
import type { BasicAuth, BearerAuth } from '../../core/domain/trigger-auth.ts';

/** The request has nothing that says who sends it, or not in the way that is asked for: 401 with a challenge. */
export class NotPresented extends TidemillError {
  /** For the header `WWW-Authenticate`: browsers ask for a name and password, other clients learn what is wanted. */
  readonly challenge: string;

  constructor(message: string, remedy: string, challenge: string) {
    super('Unauthorized', message, { remedy });
    this.challenge = challenge;
  }
}

const BASIC = 'Basic realm="function", charset="UTF-8"';

/** Throws with the field's own texts (FC reference 6.2) unless one of the enabled tokens is there. */
export function checkBearer(auth: BearerAuth, authorization: string | undefined): void {
  if (authorization === undefined || authorization === '') {
    const remedy = 'Send the header Authorization: Bearer TOKEN.';
    throw new NotPresented('Authorization header is expected but missing', remedy, 'Bearer');
  }
  const [, token = ''] = /^Bearer (\S+)$/i.exec(authorization) ?? [];
  if (anyOf(auth.tokens.map((each) => each.enable && sameSecret(each.data, token)))) return;
  throw new TidemillError('AccessDenied', 'access denied due to invalid bearer token', {
    remedy: 'Send one of the tokens that the trigger has and that is enabled.',
  });
}

/** Throws with the field's own texts (FC reference 6.2) unless name and password of one user are there. */
export function checkBasic(auth: BasicAuth, authorization: string | undefined): void {
  const remedy = 'Send the header Authorization: Basic with name and password of a user of the trigger.';
  if (authorization === undefined || authorization === '')
    throw new NotPresented('authorization require', remedy, BASIC);
  const [, encoded = ''] = /^Basic ([A-Za-z0-9+/=_-]*)$/i.exec(authorization) ?? [];
  if (!/^Basic /i.test(authorization))
    throw new NotPresented('Authorization header must start with Basic', remedy, BASIC);
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  const [name, password] = colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)];
  if (anyOf(auth.users.map((each) => allOf([sameSecret(each.name, name), sameSecret(each.password, password)]))))
    return;
  throw new NotPresented('authorization require', remedy, BASIC);
}

/** Takes as long whatever is the same and however long the other is. */
export function sameSecret(secret: string, given: string): boolean {
  return timingSafeEqual(digest(secret), digest(given));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Looks at all of them, so that time does not tell which one it was. */
function anyOf(results: readonly boolean[]): boolean {
  return results.filter((result) => result).length > 0;
}

function allOf(results: readonly boolean[]): boolean {
  return results.filter((result) => result).length === results.length;
}
