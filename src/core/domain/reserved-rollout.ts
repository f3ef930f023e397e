/** Reserved instances of one version, named by its instance key. */
export interface Wing {
  readonly key: string;
  readonly count: number;
}

export interface RolloutState {
  /** What the configuration asks for now. */
  readonly goal: readonly Wing[];
  /** What serves calls now; the same as `goal` when nothing is being replaced. */
  readonly serving: readonly Wing[];
  readonly ready: (key: string) => number;
  /** A limit or the machine has no room for another instance of this version. */
  readonly blocked: (key: string) => boolean;
  /** The last start failed by the function's own doing: waiting for it helps nobody. */
  readonly failed: (key: string) => boolean;
}

export interface RolloutStep {
  /** Calls go to the goal's versions from now on. */
  readonly switchNow: boolean;
  /** Instances to keep, per version. */
  readonly floors: ReadonlyMap<string, number>;
}

/**
 * One step of replacing versions without a cold call: the new ones are made ready beside the old, which go on serving; then calls
 * switch. Where there is no room for both, an old instance goes for every new one, and calls switch when the new are as many.
 */
export function rolloutStep(state: RolloutState): RolloutStep {
  const { goal, serving, ready, blocked, failed } = state;
  const lacking = goal.filter(
    ({ key, count }) => ready(key) < count && !serving.some((wing) => wing.key === key && wing.count >= count),
  );
  const stuck = lacking.some(({ key }) => blocked(key));
  const old = serving.filter((wing) => !goal.some(({ key }) => key === wing.key));
  const oldCount = old.reduce((sum, { count }) => sum + count, 0);
  const fresh = goal.filter(({ key }) => !serving.some((wing) => wing.key === key));
  const freshReady = fresh.reduce((sum, { key, count }) => sum + Math.min(count, ready(key)), 0);
  const remaining = stuck ? Math.max(0, oldCount - freshReady - 1) : oldCount;
  const switchNow =
    lacking.length === 0 || lacking.some(({ key }) => failed(key)) || (stuck && freshReady >= remaining);
  const floors = new Map<string, number>();
  for (const { key, count } of goal) floors.set(key, count);
  let left = remaining;
  for (const { key, count } of old) {
    const kept = Math.min(count, left);
    left -= kept;
    floors.set(key, kept);
  }
  for (const { key, count } of serving) {
    if (floors.has(key) && !old.some((wing) => wing.key === key) && !stuck) {
      floors.set(key, Math.max(floors.get(key) ?? 0, switchNow ? 0 : count));
    }
  }
  return { switchNow, floors };
}
