import type { AliasRecord } from '../../core/domain/function.ts';
import type { ReservedConfigRecord, TrackingPolicy } from '../../core/domain/reserved-config.ts';
import { rolloutStep, type Wing } from '../../core/domain/reserved-rollout.ts';
import { desiredTarget, type Firing, nextChange, sharesOf } from '../../core/domain/reserved-target.ts';
import type { VersionSpec } from '../../core/domain/version-spec.ts';
import type { ReservedStatus } from '../../core/ports/reserved-instances.ts';
import type { FloorReport } from './reserved-capacity.ts';
import type { FloorSample } from './reserved-metrics.ts';
import { Tracker, type TrackingPace } from './reserved-tracking.ts';

/** What a qualifier stands for: the head, or the weighted versions of an alias. */
export interface Formation {
  readonly members: readonly { readonly spec: VersionSpec; readonly weight: number }[];
  readonly alias: AliasRecord | undefined;
}

/** The instances that a config wants of one version. */
export interface WantedFloor {
  readonly spec: VersionSpec;
  readonly count: number;
}

export interface Moment {
  /** Wall clock, for schedules. */
  readonly wall: number;
  /** Monotonic, for durations. */
  readonly mono: number;
}

export interface StandingDeps {
  readonly firing: Firing;
  readonly pace: TrackingPace;
  /** How long replaced instances stay after calls have switched, for calls that were on their way to them. */
  readonly lingerMs: number;
  readonly report: (versionKey: string) => FloorReport;
  readonly sample: (spec: VersionSpec) => FloorSample;
}

const KEPT_BACK: Readonly<Record<string, string>> = {
  function: 'the reserved concurrency of the function has no room for another instance',
  account: 'the account uses all of its instances (those reserved for other functions included)',
  'account-memory': 'the instances of the account use all of its memory',
  memory: 'no machine has room for another instance',
};

function sameFormation(a: Formation, b: Formation): boolean {
  if (a.members.length !== b.members.length) return false;
  return a.members.every(({ spec, weight }, index) => {
    const other = b.members[index];
    return other?.spec.key === spec.key && other.weight === weight;
  });
}

/** How the reserved instances of one qualifier stand: what it wants, what serves, and what is being replaced. */
export class Standing {
  config: ReservedConfigRecord;
  serving: Formation;
  private goal: Formation;
  private readonly deps: StandingDeps;
  private readonly trackers = new Map<string, Tracker>();
  private lingering: { floors: readonly WantedFloor[]; until: number } | undefined = undefined;
  /** Wall-clock time until which `scheduled` holds. */
  private changesAt = 0;

  constructor(deps: StandingDeps, config: ReservedConfigRecord, goal: Formation) {
    this.deps = deps;
    this.config = config;
    this.goal = goal;
    this.serving = goal;
  }

  get rolling(): boolean {
    return !sameFormation(this.goal, this.serving) || this.lingering !== undefined;
  }

  /** Wall-clock time at which a schedule may change the target. */
  get nextChange(): number {
    return this.changesAt;
  }

  configure(config: ReservedConfigRecord, goal: Formation): void {
    this.config = config;
    this.goal = goal;
  }

  /** One look: moves policies and roll-out on, and says what is wanted now. */
  step({ wall, mono }: Moment): readonly WantedFloor[] {
    this.changesAt = nextChange(this.config, wall, this.deps.firing);
    this.track(mono);
    const target = this.target(this.config, wall);
    const state = {
      goal: wings(this.goal, target),
      serving: wings(this.serving, target),
      ready: (key: string) => this.deps.report(key).ready,
      blocked: (key: string) => KEPT_BACK[this.deps.report(key).shortOf ?? ''] !== undefined,
      failed: (key: string) => this.deps.report(key).failure?.own === true,
    };
    if (sameFormation(this.goal, this.serving)) {
      return [...floorsOf(this.goal, new Map(state.goal.map(({ key, count }) => [key, count]))), ...this.linger(mono)];
    }
    const { floors, switchNow } = rolloutStep(state);
    const wanted = [...floorsOf(this.goal, floors), ...floorsOf(without(this.serving, this.goal), floors)];
    if (!switchNow) return wanted;
    const old = floorsOf(without(this.serving, this.goal), floors);
    this.lingering = { floors: old, until: mono + this.deps.lingerMs };
    this.serving = this.goal;
    return wanted;
  }

  private linger(mono: number): readonly WantedFloor[] {
    if (this.lingering === undefined || mono >= this.lingering.until) {
      this.lingering = undefined;
      return [];
    }
    return this.lingering.floors.filter(
      ({ spec }) => !this.goal.members.some((member) => member.spec.key === spec.key),
    );
  }

  private track(mono: number): void {
    const names = new Set(this.config.tracking.map(({ name }) => name));
    for (const name of this.trackers.keys()) if (!names.has(name)) this.trackers.delete(name);
    if (names.size === 0) return;
    const samples = this.serving.members.map(({ spec }) => this.deps.sample(spec));
    for (const policy of this.config.tracking) {
      let tracker = this.trackers.get(policy.name);
      if (tracker === undefined) {
        const live = samples.reduce((sum, { report }) => sum + report.live, 0);
        tracker = new Tracker(policy, live, mono);
        this.trackers.set(policy.name, tracker);
      }
      tracker.observe(policy, samples, mono, this.deps.pace);
    }
  }

  target(config: ReservedConfigRecord, wall: number): number {
    const tracked = (policy: TrackingPolicy): number => this.trackers.get(policy.name)?.target ?? policy.min;
    return desiredTarget(config, wall, this.deps.firing, tracked);
  }

  /** `taken`: instances that other qualifiers of the function count already, by version; adds its own. */
  status(config: ReservedConfigRecord, wall: number, taken: Map<string, number>): ReservedStatus {
    const target = this.target(config, wall);
    let current = 0;
    let error = '';
    for (const { key, count } of wings(this.serving, target)) {
      const used = taken.get(key) ?? 0;
      const mine = Math.min(count, Math.max(0, this.deps.report(key).ready - used));
      taken.set(key, used + mine);
      current += mine;
    }
    for (const { spec } of this.goal.members) {
      const { failure, shortOf } = this.deps.report(spec.key);
      if (error === '') error = failure?.message ?? KEPT_BACK[shortOf ?? ''] ?? '';
    }
    return { target, current, error: current < target || this.rolling ? error : '' };
  }
}

function wings(formation: Formation, target: number): Wing[] {
  const { members } = formation;
  const shares = sharesOf(
    target,
    members.map(({ spec, weight }) => ({ versionId: spec.key, weight })),
  );
  return shares.map(({ versionId: key, count }) => ({ key, count }));
}

function floorsOf(formation: Formation, floors: ReadonlyMap<string, number>): WantedFloor[] {
  return formation.members.map(({ spec }) => ({ spec, count: floors.get(spec.key) ?? 0 }));
}

function without(formation: Formation, other: Formation): Formation {
  const members = formation.members.filter(({ spec }) => !other.members.some((member) => member.spec.key === spec.key));
  return { members, alias: undefined };
}
