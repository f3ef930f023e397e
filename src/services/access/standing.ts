import type { Principal } from '../../core/domain/credentials.ts';
import { type Decision, NO_CONDITIONS } from '../../core/domain/policy/decision.ts';
import type { AttachedPolicy } from '../../core/domain/policy/document.ts';
import { type Candidates, candidatesFor, decideAmong } from '../../core/domain/policy/evaluate.ts';
import { accountOf } from '../../core/domain/policy/resource.ts';

/** Actions on what may belong to another account, where the other side has its own say. */
const ACROSS_ACCOUNTS: ReadonlySet<string> = new Set(['sts:AssumeRole']);

const OWN: Decision = { effect: 'allow', reason: 'it belongs to the account of the caller' };
const BELONGS_TO_ANOTHER: Decision = {
  effect: 'implicit-deny',
  reason: 'it belongs to another account, where only a role of that account leads',
};

/** The decision, or what is left to decide with each request because conditions are in play. `policies` are not asked for root. */
export function standingOf(
  principal: Pick<Principal, 'account' | 'kind'>,
  policies: () => readonly AttachedPolicy[],
  action: string,
  resource: string,
): Decision | Candidates {
  const isForeign = accountOf(resource) !== principal.account && !ACROSS_ACCOUNTS.has(action);
  if (principal.kind === 'root') return isForeign ? BELONGS_TO_ANOTHER : OWN;
  const candidates = candidatesFor(policies(), action, resource);
  if (isForeign) {
    // what is open to everybody there may still be denied to this one here
    return candidates.denies.length === 0 ? BELONGS_TO_ANOTHER : { ...candidates, allows: [] };
  }
  return candidates.conditional ? candidates : decideAmong(candidates, NO_CONDITIONS);
}
