import { SESSION_COOKIE } from '../../core/domain/session.ts';
import type { InvokeAnswer, Target } from '../../core/ports/dispatch.ts';
import type { RequestHead } from './exchange.ts';

/** The session id a request carries, where the function's affinity looks for it (FC reference 3.5); undefined when it has none. */
function sessionIdOf(req: RequestHead, target: Target): string | undefined {
  const affinity = target.spec.config.sessionAffinity;
  if (affinity === undefined) return undefined;
  if (affinity.headerName !== undefined) {
    const value = req.headers[affinity.headerName.toLowerCase()];
    const one = Array.isArray(value) ? value[0] : value;
    return one === '' ? undefined : one;
  }
  for (const pair of (req.headers.cookie ?? '').split(';')) {
    const [name = '', ...rest] = pair.split('=');
    if (name.trim() === SESSION_COOKIE) return rest.join('=').trim();
  }
  return undefined;
}

/** What tells the caller of a session that its call began: the cookie, or the header with the id. */
export function sessionHeaders(answer: InvokeAnswer, target: Target): (readonly [string, string])[] {
  const affinity = target.spec.config.sessionAffinity;
  const { session } = answer;
  if (affinity === undefined || session?.created !== true) return [];
  if (affinity.headerName !== undefined) return [[affinity.headerName, session.id]];
  return [['Set-Cookie', `${SESSION_COOKIE}=${session.id}; Max-Age=${session.maxAgeSeconds}; Path=/; HttpOnly`]];
}

/** The member of an InvokeCommand that carries it. */
export function sessionOf(req: RequestHead, target: Target): { readonly sessionId?: string } {
  const sessionId = sessionIdOf(req, target);
  return sessionId === undefined ? {} : { sessionId };
}
