import { Expectations } from './keep-alive-expectations.ts';
import { GapHistory, type QuietPlan, type Worth } from './keep-alive-history.ts';
import type { InstanceState, SchedulerState, VersionState } from './state.ts';

/** How long idle instances are kept and when the next one is started ahead: what a warm call is worth decides. */
export interface KeepAliveSettings {
  /** Every idle instance is kept this long, milliseconds. */
  readonly floorMs: number;
  /** Longer gaps are out of bounds: the paper's range (GapHistory). */
  readonly rangeMs: number;
  /** A plan wakes earlier and keeps longer by this share: the paper's margin. */
  readonly margin: number;
  /**
   * Memory x time that one warm call is worth, MB x milliseconds: what a fixed keep-alive of ten minutes pays at most to keep
   * an instance of 256 MB for it.
   */
  readonly warmCallWorth: number;
  /** MB of memory that cost as much as one core: the usual size of machines. */
  readonly mbPerCore: number;
  /** As how many gaps of its own the gaps of all versions together count for one version. */
  readonly priorWeight: number;
  /** With fewer gaps known from all versions together, one that has none of its own is kept for its `idleMs`. */
  readonly priorSamples: number;
}

export const KEEP_ALIVE_DEFAULTS: KeepAliveSettings = {
  floorMs: 10_000,
  rangeMs: 4 * 3_600_000,
  margin: 0.1,
  warmCallWorth: 600_000 * 256,
  mbPerCore: 2_048,
  priorWeight: 2,
  priorSamples: 100,
};

/** A prepared instance is ready this much ahead of the call, beyond twice the usual start time. */
const LEAD_MS = 500;
/** Levels of demand (instances busy at once) whose gaps are followed. */
const LEVELS = 64;

/** The gaps of all versions together: what to think of one that is not known yet. */
export class GapPrior {
  /** Gaps in which nothing ran at all. */
  readonly quiet: GapHistory;
  /** Gaps in which fewer instances were needed than before and after. */
  readonly surplus: GapHistory;

  constructor({ floorMs, rangeMs }: KeepAliveSettings) {
    this.quiet = new GapHistory(floorMs, rangeMs, true);
    this.surplus = new GapHistory(floorMs, rangeMs, true);
  }
}

/** What keep-alive knows of one version; made when there is something to know. */
export class KeepAliveMemory {
  readonly quiet: GapHistory;
  readonly surplus: GapHistory;
  readonly expected = new Expectations();
  /** Last time that more than `index` instances were busy. */
  readonly levelEnded: number[] = [];
  /** Its present gap counts among those whose end nobody has seen. */
  open = false;

  constructor({ floorMs, rangeMs }: KeepAliveSettings) {
    this.quiet = new GapHistory(floorMs, rangeMs);
    this.surplus = new GapHistory(floorMs, rangeMs);
  }
}

export function keepAliveMemory(state: SchedulerState, version: VersionState): KeepAliveMemory {
  version.keepAlive ??= new KeepAliveMemory(state.settings.keepAlive);
  return version.keepAlive;
}

export function isLearnt(version: VersionState): boolean {
  return version.shape.keepAlive === 'learnt';
}

/** How long after going idle the end of an instance is first considered. */
export function firstLookMs(state: SchedulerState, version: VersionState): number {
  return isLearnt(version) ? state.settings.keepAlive.floorMs : version.shape.idleMs;
}

/** An instance of the version has become idle (and is counted so). */
export function noteIdle(version: VersionState, now: number): void {
  const busy = version.ready - version.idle;
  if (busy === 0) version.quietSince = now;
  else if (version.keepAlive !== undefined && busy < LEVELS) version.keepAlive.levelEnded[busy] = now;
}

/** An instance that was not busy gets a call now (and is counted busy). A gap that mattered goes into the history. */
export function noteBusy(state: SchedulerState, version: VersionState, now: number): void {
  const level = version.ready - version.idle - 1;
  if (level === 0) {
    if (now - version.quietSince > state.settings.keepAlive.floorMs) noteQuietGap(state, version, now);
  } else if (level > 0 && level < LEVELS && isLearnt(version)) {
    noteSurplusGap(state, keepAliveMemory(state, version), level, now);
  }
}

function noteQuietGap(state: SchedulerState, version: VersionState, now: number): void {
  const gap = now - quietSince(version);
  // Of a version never called before there is no gap.
  if (!isLearnt(version) || version.lastGrantAt === 0 || gap <= state.settings.keepAlive.floorMs) return;
  const memory = keepAliveMemory(state, version);
  const { gapPrior } = state;
  if (memory.open) gapPrior.quiet.beyond--;
  memory.open = false;
  if (memory.expected.explains(now, leadMs(state, version), LATE_MS)) return;
  memory.quiet.record(gap);
  gapPrior.quiet.record(gap);
}

/** A call of a timer comes at most this late. */
const LATE_MS = 5_000;

function noteSurplusGap(state: SchedulerState, memory: KeepAliveMemory, level: number, now: number): void {
  const { levelEnded } = memory;
  for (let i = levelEnded.length; i <= level; i++) levelEnded.push(now);
  const gap = now - (levelEnded[level] ?? now);
  if (gap <= state.settings.keepAlive.floorMs) return;
  memory.surplus.record(gap);
  state.gapPrior.surplus.record(gap);
}

/** Until when an idle instance is to be kept, looking at it now; a time that has passed means: end it. */
export function keepUntil(state: SchedulerState, instance: InstanceState, now: number): number {
  const { version } = instance;
  const first = instance.idleSince + firstLookMs(state, version);
  if (now < first || !isLearnt(version)) return first;
  if (version.ready + version.starting > 1) return Math.max(first, instance.idleSince + surplusKeep(state, version));
  const memory = keepAliveMemory(state, version);
  if (!memory.open) state.gapPrior.quiet.beyond++;
  memory.open = true;
  const since = quietSince(version);
  const { keep, wake } = quietPlan(state, version);
  const lead = leadMs(state, version);
  const next = memory.expected.next(now) - lead;
  const pause = startWorth(state, version) / version.shape.memoryMb;
  if (wake > 0 && Math.min(since + wake, next) - now > pause && since + wake > now) return now;
  const until = since + keep;
  return next - Math.max(until, now) <= pause ? next + lead + LATE_MS : until;
}

/** When to start an instance ahead, as things are now; Infinity: not at all. For a version that has none. */
export function wakeAt(state: SchedulerState, version: VersionState, now: number): number {
  if (!isLearnt(version) || version.keepAlive === undefined) return Number.POSITIVE_INFINITY;
  const expected = version.keepAlive.expected.next(now) - leadMs(state, version);
  const { wake } = quietPlan(state, version);
  const learnt = quietSince(version) + wake;
  return wake > 0 && learnt > now ? Math.min(expected, learnt) : expected;
}

function quietSince(version: VersionState): number {
  return Math.max(version.quietSince, version.lastGrantAt);
}

function quietPlan(state: SchedulerState, version: VersionState): QuietPlan {
  const { keepAlive: settings } = state.settings;
  const memory = keepAliveMemory(state, version);
  // Its timers are all that ever called it.
  const scheduled = memory.expected.known && memory.quiet.samples === 0;
  if (scheduled) return { wake: 0, keep: settings.floorMs };
  const prior = state.gapPrior.quiet;
  if (memory.quiet.samples === 0 && prior.samples < settings.priorSamples)
    return { wake: 0, keep: version.shape.idleMs };
  const plan = memory.quiet.plan(worthOf(state, version), prior, settings.priorWeight, memory.quiet.samples > 0);
  return { wake: plan.wake * (1 - settings.margin), keep: plan.keep * (1 + settings.margin) };
}

function surplusKeep(state: SchedulerState, version: VersionState): number {
  const { keepAlive: settings } = state.settings;
  const prior = state.gapPrior.surplus;
  const own = keepAliveMemory(state, version).surplus;
  if (own.samples === 0 && prior.samples < settings.priorSamples) return version.shape.idleMs;
  return own.plan(worthOf(state, version), prior, settings.priorWeight, false).keep * (1 + settings.margin);
}

function worthOf(state: SchedulerState, version: VersionState): Worth {
  const { warmCallWorth } = state.settings.keepAlive;
  return { memoryMb: version.shape.memoryMb, warmCall: warmCallWorth, start: startWorth(state, version) };
}

function startWorth(state: SchedulerState, version: VersionState): number {
  return (version.startMs === 0 ? state.startMs : version.startMs) * state.settings.keepAlive.mbPerCore;
}

function leadMs(state: SchedulerState, version: VersionState): number {
  return 2 * (version.startMs === 0 ? state.startMs : version.startMs) + LEAD_MS;
}
