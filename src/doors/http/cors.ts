import type { RequestHead } from '../wire/exchange.ts';
import type { HeaderPairs } from './header-rules.ts';

/**
 * What browsers get when the function says nothing about CORS (FC reference 6.2): the caller's Origin with credentials. A
 * function that sets Access-Control-Allow-Origin itself is left alone.
 */
export function corsHeaders(req: RequestHead, answer: HeaderPairs): HeaderPairs {
  const { origin } = req.headers;
  if (origin === undefined) return [];
  if (answer.some(([name]) => name.toLowerCase() === 'access-control-allow-origin')) return [];
  return [
    ['Access-Control-Allow-Origin', origin],
    ['Access-Control-Allow-Credentials', 'true'],
    ['Access-Control-Expose-Headers', 'Date,x-fc-request-id'],
  ];
}
