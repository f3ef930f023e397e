import { ClimbRecord } from './keep-alive-climb.ts';
import { Expectations } from './keep-alive-expectations.ts';
import { GapHistory, type GapPlan, type Worth } from './keep-alive-history.ts';
import type { InstanceState, SchedulerState, VersionState } from './state.ts';

/** How long idle instances are kept and when the next one is started ahead: what a warm call is worth decides. */
export interface KeepAliveSettings {
  /** Every idle instance is kept this long, milliseconds. */
  readonly floorMs: number;
  /** Longer gaps are out of bounds: the paper's range (GapHistory). */
  readonly rangeMs: number;
  /** A single gap says this little of the next: bins (eight to a doubling) over which it is spread, to each side. */
  readonly spread: number;
  /**
   * The exchange rate: memory x time that one warm call is worth, MB x milliseconds. By default what a fixed keep-alive of ten
   * minutes pays at most to keep an instance of the usual 512 MB for it. Less holds less memory, more makes fewer cold starts.
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
  spread: 20,
  warmCallWorth: 600_000 * 512,
  mbPerCore: 2_048,
  priorWeight: 2,
  priorSamples: 100,
};

/** A prepared instance is ready this much ahead of the call, beyond twice the usual start time. */
const LEAD_MS = 500;
/** A version that only its timers call is looked at so soon after a call. */
const SCHEDULED_LOOK_MS = 1_000;
/** Levels of demand (instances busy at once) whose gaps are followed. */
const LEVELS = 64;

/** The gaps of all versions together: what to think of one that is not known yet. */
export class GapPrior {
  /** Gaps in which nothing ran at all. */
  readonly quiet: GapHistory;
  /** Gaps in which fewer instances were needed than before and after. */
  readonly surplus: GapHistory;
  readonly climbs = new ClimbRecord();

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
  /** Levels whose present gap counts as one whose end nobody has seen. */
  readonly levelOpen: boolean[] = [];
  /** By level, when its instance is started ahead in the gap that began at `since`. */
  readonly wakes: PlannedWake[] = [];
  readonly climbs = new ClimbRecord();
  /** One instance more than demand has reached, and until when. */
  spare: { readonly level: number; readonly until: number; ordered: boolean } | undefined = undefined;
  /** Its present gap counts among those whose end nobody has seen. */
  open = false;

  constructor({ floorMs, rangeMs }: KeepAliveSettings) {
    this.quiet = new GapHistory(floorMs, rangeMs);
    this.surplus = new GapHistory(floorMs, rangeMs);
  }

  /** What was planned for the instance that has been started ahead in this gap. */
  wokenUntil(level: number, since: number): number | undefined {
    const planned = this.wakes[level];
    return planned?.since === since && planned.done ? planned.until : undefined;
  }
}

/** An instance that is started ahead in the gap that began at `since`. */
interface PlannedWake {
  readonly since: number;
  /** Infinity: not at all. */
  readonly at: number;
  /** Kept so long, from the beginning of the gap. */
  readonly until: number;
  done: boolean;
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
  if (!isLearnt(version)) return version.shape.idleMs;
  return isScheduled(version.keepAlive) ? SCHEDULED_LOOK_MS : state.settings.keepAlive.floorMs;
}

/** Its timers are all that ever called it: nobody else is to be waited for. */
function isScheduled(memory: KeepAliveMemory | undefined): boolean {
  return memory !== undefined && memory.quiet.samples === 0 && memory.expected.known;
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
    noteSurplusGap(state, version, level, now);
  }
}

function noteQuietGap(state: SchedulerState, version: VersionState, now: number): void {
  if (!isLearnt(version)) return;
  const first = version.lastGrantAt === 0;
  const gap = first ? Number.POSITIVE_INFINITY : now - quietSince(version);
  if (gap <= state.settings.keepAlive.floorMs) return;
  const memory = keepAliveMemory(state, version);
  const { gapPrior } = state;
  // A timer calls once.
  const timer = memory.expected.explains(now, leadMs(state, version), LATE_MS);
  if (!timer && memory.climbs.reached(0, gap, now, gapPrior.climbs)) considerSpare(state, version, 0, now);
  // Of a version never called before there is no gap.
  if (first) return;
  if (memory.open) gapPrior.quiet.beyond--;
  memory.open = false;
  if (timer) return memory.quiet.recordUnfinished();
  memory.quiet.record(gap);
  gapPrior.quiet.record(gap);
}

/** A call of a timer comes at most this late. */
const LATE_MS = 5_000;

function noteSurplusGap(state: SchedulerState, version: VersionState, level: number, now: number): void {
  const memory = keepAliveMemory(state, version);
  const { levelEnded, levelOpen } = memory;
  const gap = now - (levelEnded[level] ?? Number.NEGATIVE_INFINITY);
  if (gap <= state.settings.keepAlive.floorMs) return;
  if (memory.climbs.reached(level, gap, now, state.gapPrior.climbs)) considerSpare(state, version, level, now);
  if (gap === Number.POSITIVE_INFINITY) {
    for (let i = levelEnded.length; i <= level; i++) levelEnded.push(now);
    return;
  }
  if (levelOpen[level] === true) {
    levelOpen[level] = false;
    memory.surplus.beyond--;
    state.gapPrior.surplus.beyond--;
  }
  memory.surplus.record(gap);
  state.gapPrior.surplus.record(gap);
}

/** Demand has reached a level anew: one instance more is started ahead where the chance of its use is worth it. */
function considerSpare(state: SchedulerState, version: VersionState, level: number, now: number): void {
  if (version.idle > 0 || version.starting > 0 || version.shape.concurrency > 1) return;
  const memory = keepAliveMemory(state, version);
  const { keep } = surplusPlan(state, version, 0);
  const { warmCall, memoryMb, start } = worthOf(state, version);
  if (memory.climbs.chance(state.gapPrior.climbs) * warmCall <= keep * memoryMb + start) return;
  memory.spare = { level: level + 1, until: now + keep, ordered: false };
  state.wakeTimers.set(version.wakeTimer, now);
}

/** Until when an idle instance is to be kept, looking at it now; a time that has passed means: end it. */
export function keepUntil(state: SchedulerState, instance: InstanceState, now: number): number {
  const { version } = instance;
  const first = instance.idleSince + firstLookMs(state, version);
  if (now < first || !isLearnt(version)) return first;
  if (version.ready + version.starting > 1) return Math.max(first, surplusUntil(state, instance, now));
  const memory = keepAliveMemory(state, version);
  if (!memory.open && !isScheduled(memory)) {
    state.gapPrior.quiet.beyond++;
    memory.open = true;
  }
  const since = quietSince(version);
  const lead = leadMs(state, version);
  const next = memory.expected.next(now) - lead;
  const pause = pauseMs(state, version);
  // Who waits for the timer to say its next call waits no longer than for anything else.
  const quiet = next < Number.POSITIVE_INFINITY ? now : instance.idleSince + state.settings.keepAlive.floorMs;
  const until = isScheduled(memory) ? quiet : plannedUntil(state, version, 0, since, now);
  return next - Math.max(until, now) <= pause ? next + lead + LATE_MS : until;
}

/** The same for one of several: until when as many as there are will do. */
function surplusUntil(state: SchedulerState, instance: InstanceState, now: number): number {
  const { version } = instance;
  const memory = keepAliveMemory(state, version);
  const level = version.ready - 1;
  const due = memory.expected.next(now) - leadMs(state, version);
  // The others are busy, perhaps with the call before.
  if (version.idle === 1 && due - now <= pauseMs(state, version)) return due + leadMs(state, version) + LATE_MS;
  if (memory.spare !== undefined && memory.spare.level >= level && now < memory.spare.until) return memory.spare.until;
  const since = Math.min(instance.idleSince, memory.levelEnded[level] ?? instance.idleSince);
  const until = plannedUntil(state, version, level, since, now);
  if (until <= now && memory.levelOpen[level] !== true && memory.levelEnded[level] !== undefined) {
    memory.levelOpen[level] = true;
    memory.surplus.recordUnfinished();
    state.gapPrior.surplus.recordUnfinished();
  }
  return until;
}

/**
 * Until when the instance of a level is kept in the gap that began at `since`: as planned at its beginning, unless what has
 * passed of it shows that ending now and starting again later costs less. That is asked each time the gap has doubled.
 */
function plannedUntil(state: SchedulerState, version: VersionState, level: number, since: number, now: number): number {
  const woken = keepAliveMemory(state, version).wokenUntil(level, since);
  if (woken !== undefined) return since + woken;
  const elapsed = now - since;
  const { keep, wake, until } = level === 0 ? quietPlan(state, version, elapsed) : surplusPlan(state, version, elapsed);
  // Ending it for a moment is not worth the trouble, whatever it may save.
  const pause = wake - Math.max(keep, elapsed);
  return since + (pause < state.settings.keepAlive.floorMs ? until : keep);
}

/** A shorter pause than this costs less memory than the start at its end costs processor time. */
function pauseMs(state: SchedulerState, version: VersionState): number {
  const pause = startWorth(state, version) / version.shape.memoryMb;
  return isScheduled(version.keepAlive) ? Math.max(pause, state.settings.keepAlive.floorMs) : pause;
}

/**
 * When to start one instance more ahead, for a version that has `level` of them; Infinity: not at all. Decided once for a gap:
 * asked again in the same gap the answer is the same, until `level` was woken.
 */
export function wakeAt(state: SchedulerState, version: VersionState, level: number, now: number): number {
  const memory = version.keepAlive;
  if (!isLearnt(version) || memory === undefined) return Number.POSITIVE_INFINITY;
  const { spare } = memory;
  if (spare?.level === level && !spare.ordered && now < spare.until) return now;
  const since = level === 0 ? quietSince(version) : memory.levelEnded[level];
  if (since === undefined) return Number.POSITIVE_INFINITY;
  const elapsed = now - since;
  const before = memory.wakes[level];
  if (before?.since !== since || (before.done && elapsed >= before.until)) {
    const { wake, until } = level === 0 ? quietPlan(state, version, elapsed) : surplusPlan(state, version, elapsed);
    memory.wakes[level] = { since, at: since + wake - leadMs(state, version), until, done: false };
  }
  const planned = memory.wakes[level];
  return planned === undefined || planned.done ? Number.POSITIVE_INFINITY : planned.at;
}

/** When to have an instance ready for the next call that is announced, Infinity: none is. It may have passed just now. */
export function dueAt(state: SchedulerState, version: VersionState, now: number): number {
  if (!isLearnt(version) || version.keepAlive === undefined) return Number.POSITIVE_INFINITY;
  return version.keepAlive.expected.next(now) - leadMs(state, version);
}

/** The instance that `wakeAt` spoke of has been started, or cannot be. */
export function woken(version: VersionState, level: number): void {
  const memory = version.keepAlive;
  if (memory === undefined) return;
  if (memory.spare?.level === level) memory.spare.ordered = true;
  const planned = memory.wakes[level];
  if (planned !== undefined) planned.done = true;
}

/** Levels whose returns are followed. */
export function levelsKnown(version: VersionState): number {
  // One beyond what demand has reached may be a spare one.
  return Math.max(version.keepAlive?.levelEnded.length ?? 0, 1) + 1;
}

function quietSince(version: VersionState): number {
  return Math.max(version.quietSince, version.lastGrantAt);
}

function quietPlan(state: SchedulerState, version: VersionState, elapsed: number): GapPlan {
  const { keepAlive: settings } = state.settings;
  const memory = keepAliveMemory(state, version);
  if (isScheduled(memory)) return keptFor(0);
  const prior = state.gapPrior.quiet;
  if (memory.quiet.samples === 0 && prior.samples < settings.priorSamples) return keptFor(version.shape.idleMs);
  return memory.quiet.plan({
    worth: worthOf(state, version),
    prior,
    priorWeight: settings.priorWeight,
    spread: settings.spread,
    mayWake: memory.quiet.samples > 0,
    elapsed,
  });
}

function keptFor(keep: number): GapPlan {
  return { keep, wake: Number.POSITIVE_INFINITY, until: 0 };
}

function surplusPlan(state: SchedulerState, version: VersionState, elapsed: number): GapPlan {
  const { keepAlive: settings } = state.settings;
  const prior = state.gapPrior.surplus;
  const own = keepAliveMemory(state, version).surplus;
  if (own.samples === 0 && prior.samples < settings.priorSamples) return keptFor(version.shape.idleMs);
  return own.plan({
    worth: worthOf(state, version),
    prior,
    priorWeight: settings.priorWeight,
    spread: settings.spread,
    mayWake: own.samples > 0,
    elapsed,
  });
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
