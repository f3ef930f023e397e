import type { Clock } from '../../core/base/clock.ts';
import { newRequestId } from '../../core/base/ids.ts';
import type { Random } from '../../core/base/random.ts';
import type { RequestHead } from './exchange.ts';

const WELL_FORMED = /^[A-Za-z0-9][A-Za-z0-9_-]{7,63}$/;

/** The client's own `x-fc-request-id` when it is well-formed (FC reference 2.6), else a new one. */
export function requestIdOf(req: RequestHead, random: Random, clock: Clock): string {
  const given = req.headers['x-fc-request-id'];
  if (typeof given === 'string' && WELL_FORMED.test(given)) return given;
  return newRequestId(random, clock.now());
}
