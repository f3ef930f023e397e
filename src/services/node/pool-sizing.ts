/** How deep the pool of booted runtimes is kept. */
export interface PoolPolicy {
  /** Booted runtimes kept at least for every runtime id used lately. 0 switches the pool off. */
  readonly depth: number;
  /** Runtime ids that are kept ready even when unused, one each. */
  readonly always: readonly string[];
  /** How long after its last use a runtime id is kept ready. */
  readonly recentMs: number;
  /** Members over all runtime ids: the bound on memory held by the pool. */
  readonly maxMembers: number;
}

/** Starts closer together than this are one burst: about the time in which the pool cannot be refilled. */
const BURST_MS = 1_000;
/** What a burst has taught is half forgotten after this long. */
const HALF_LIFE_MS = 120_000;

/** What is remembered of the demand for one runtime id. */
export interface Demand {
  readonly lastUse: number;
  /** Start and size of the burst under way. */
  readonly burstAt: number;
  readonly burst: number;
  /** The largest burst lately, as of `lastUse`; fades with time. */
  readonly peak: number;
}

/** The demand after `starts` more at `now`; 0 for a start that is only expected. Pure. */
export function withStarts(before: Demand | undefined, starts: number, now: number): Demand {
  if (before === undefined) return { lastUse: now, burstAt: now, burst: starts, peak: starts };
  const same = now - before.burstAt <= BURST_MS;
  const burst = (same ? before.burst : 0) + starts;
  return { lastUse: now, burstAt: same ? before.burstAt : now, burst, peak: Math.max(burst, peakAt(before, now)) };
}

function peakAt(demand: Demand, now: number): number {
  return demand.peak * 0.5 ** ((now - demand.lastUse) / HALF_LIFE_MS);
}

/**
 * How many members each runtime id should have now. First every one used lately gets `depth` (the most recently used first),
 * then each of `always` one, then the rest of the budget goes to those whose bursts were larger, in proportion. Pure.
 */
export function desiredDepths(
  policy: PoolPolicy,
  demands: ReadonlyMap<string, Demand>,
  now: number,
): ReadonlyMap<string, number> {
  const depths = new Map<string, number>();
  let left = policy.maxMembers;
  const grant = (runtime: string, count: number): void => {
    const granted = Math.min(count, left);
    depths.set(runtime, (depths.get(runtime) ?? 0) + granted);
    left -= granted;
  };
  const recent = [...demands]
    .filter(([, demand]) => now - demand.lastUse <= policy.recentMs)
    .sort((a, b) => b[1].lastUse - a[1].lastUse);
  for (const [runtime] of recent) grant(runtime, policy.depth);
  if (policy.depth === 0) return depths;
  for (const runtime of policy.always) if (!depths.has(runtime)) grant(runtime, 1);
  const wishes = recent.map(([runtime, demand]) => {
    const wish = Math.max(0, Math.ceil(peakAt(demand, now)) - (depths.get(runtime) ?? 0));
    return { runtime, wish };
  });
  const wished = wishes.reduce((sum, { wish }) => sum + wish, 0);
  const share = wished === 0 ? 0 : Math.min(1, left / wished);
  for (const { runtime, wish } of wishes) grant(runtime, Math.floor(wish * share));
  return depths;
}
