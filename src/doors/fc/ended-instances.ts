import type { InstanceGone, InstanceStarted } from '../../core/domain/fact.ts';
import type { FactLog } from '../../core/ports/fact-log.ts';

/** An instance that is no more, as far as the log remembers it. Milliseconds since the epoch. */
export interface EndedInstance {
  readonly instanceId: string;
  readonly versionId: string;
  /** `Error`: it crashed or ran out of memory. */
  readonly status: 'Destroyed' | 'Error';
  /** Not remembered. */
  readonly reserved?: false;
  readonly createdAt: number;
  readonly destroyedAt: number;
}

/** Most facts looked at: the newest starts and ends of the function. */
const FACTS_MAX = 2_000;

/** The instances of a function that ended from `since` on, from the log of facts: bounded as the log is. */
export async function endedInstances(
  facts: FactLog,
  of: { readonly account: string; readonly functionName: string },
  since: number | undefined,
): Promise<readonly EndedInstance[]> {
  const types = ['instance-started', 'instance-gone'] as const;
  const page = await facts.latest({ ...of, types, limit: FACTS_MAX });
  const starts = new Map<string, InstanceStarted>();
  const ended: EndedInstance[] = [];
  for (const fact of page.facts) {
    if (fact.type === 'instance-started') starts.set(fact.instanceId, fact);
    else if (fact.type === 'instance-gone' && fact.at >= (since ?? 0)) ended.push(endedBy(fact, starts));
  }
  return ended;
}

function endedBy(gone: InstanceGone, starts: ReadonlyMap<string, InstanceStarted>): EndedInstance {
  const start = starts.get(gone.instanceId);
  return {
    instanceId: gone.instanceId,
    versionId: gone.versionId,
    status: gone.reason === 'oom' || gone.reason === 'crash' ? 'Error' : 'Destroyed',
    // a start that the log has forgotten was at the latest when the instance ended
    createdAt: start === undefined ? gone.at : start.at - start.startMs,
    destroyedAt: gone.at,
  };
}
