import { fairLevel, throttleProbability } from '../../core/domain/overload.ts';

export interface OverloadSettings {
  /** Queueing delay that is still fine, milliseconds. */
  readonly targetMs: number;
  /** A stretch this long counts as overloaded when the mean of its samples is above the target, milliseconds. */
  readonly intervalMs: number;
  /** Overloaded stretches in a row before anybody is throttled. */
  readonly patience: number;
  /** For this long after machines said that processors are short nobody is let in more, milliseconds. */
  readonly pressedMs: number;
  /** Span over which a caller's load is counted, milliseconds. */
  readonly windowMs: number;
  /** What is let in of all callers together is never cut below this many calls in the span for each. */
  readonly freeCalls: number;
  /**
   * How long refused calls are held, milliseconds: who calls again at once would otherwise cost as much as being served. The
   * longer the overload lasts, the longer.
   */
  readonly holdMs: { readonly least: number; readonly most: number };
}

export const OVERLOAD_DEFAULTS: OverloadSettings = {
  targetMs: 5,
  intervalMs: 100,
  patience: 3,
  pressedMs: 1_500,
  windowMs: 1_000,
  freeCalls: 50,
  holdMs: { least: 500, most: 5_000 },
};

const CUT = 0.7;
const RECOVER = 1.02;
const HOLD_GROWTH = 1.5;
const HOLD_DECAY = 0.97;

/** A function that was called of late, with its counts of this span and the one before. */
class Caller {
  readonly account: string;
  offered = 0;
  offeredBefore = 0;
  admitted = 0;
  admittedBefore = 0;
  /** Most calls in the span that are let in; set anew after every stretch of overload. */
  allowed = Number.POSITIVE_INFINITY;

  constructor(account: string) {
    this.account = account;
  }
}

/**
 * Who has to step back while the platform is overloaded although nobody is over a limit. Overload is a queueing delay that
 * stays above a target (a short burst is none), or machines without processors to spare for as long. While it lasts, the number of calls let in goes down, and when
 * it is over goes up again; that number is shared fairly between accounts, and the part of an account between its functions
 * (max-min). So a caller loses calls with a probability that grows with its own load, and whoever sends less than its share
 * loses none. A function alone is never throttled: there is nobody to protect. Deterministic: time and draws come from
 * outside. A call costs O(1), a stretch of time the number of functions called in it.
 */
export class OverloadGuard {
  private readonly settings: OverloadSettings;
  private readonly callers = new Map<string, Caller>();
  /** Calls in the span let in of all together. */
  private capacity = Number.POSITIVE_INFINITY;
  private hold: number;
  private windowStart = 0;
  private stretchStart = 0;
  private samples = 0;
  private delaySum = 0;
  private overloaded = 0;
  private pressedUntil = 0;

  constructor(settings: OverloadSettings = OVERLOAD_DEFAULTS) {
    this.settings = settings;
    this.hold = settings.holdMs.least;
  }

  /** How long to hold a call that is refused now, milliseconds. */
  get holdMs(): number {
    return this.hold;
  }

  /** Whether anybody may be throttled now. */
  get active(): boolean {
    return this.capacity < Number.POSITIVE_INFINITY;
  }

  /** One sample of the queueing delay. */
  observe(delayMs: number, now: number): void {
    this.samples++;
    this.delaySum += delayMs;
    if (now - this.stretchStart < this.settings.intervalMs) return;
    const bad = this.delaySum / this.samples > this.settings.targetMs;
    this.stretchStart = now;
    this.samples = 0;
    this.delaySum = 0;
    this.overloaded = bad ? this.overloaded + 1 : 0;
    if (this.overloaded >= this.settings.patience) this.tighten(now);
    else if (!bad && this.active && now >= this.pressedUntil) this.relax(now);
  }

  /** The machines are short of processors, and have been: one cut for each time they say so, for a cut shows only after a while. */
  press(now: number): void {
    this.pressedUntil = now + this.settings.pressedMs;
    this.tighten(now);
  }

  /** Counts a call and answers whether it may go on; `draw` is in [0, 1). */
  admit(account: string, functionKey: string, now: number, draw: number): boolean {
    this.turn(now);
    let caller = this.callers.get(functionKey);
    if (caller === undefined) {
      caller = new Caller(account);
      this.callers.set(functionKey, caller);
    }
    caller.offered++;
    if (this.active && draw < throttleProbability(this.offeredBy(caller, now), caller.allowed)) return false;
    caller.admitted++;
    return true;
  }

  private tighten(now: number): void {
    this.turn(now);
    if (this.callers.size < 2) return this.lift();
    let admitted = 0;
    for (const caller of this.callers.values()) admitted += this.weigh(caller.admitted, caller.admittedBefore, now);
    this.hold = Math.min(this.settings.holdMs.most, this.hold * HOLD_GROWTH);
    const least = this.settings.freeCalls * this.callers.size;
    this.capacity = Math.max(least, Math.min(this.capacity, admitted) * CUT);
    this.share(now);
  }

  private relax(now: number): void {
    this.turn(now);
    this.hold = Math.max(this.settings.holdMs.least, this.hold * HOLD_DECAY);
    this.capacity *= RECOVER;
    let offered = 0;
    for (const caller of this.callers.values()) offered += this.offeredBy(caller, now);
    if (this.capacity > offered) this.lift();
    else this.share(now);
  }

  private lift(): void {
    this.capacity = Number.POSITIVE_INFINITY;
    for (const caller of this.callers.values()) caller.allowed = Number.POSITIVE_INFINITY;
  }

  /** Shares the capacity between accounts, and what each of them gets between its functions. */
  private share(now: number): void {
    const accounts = Map.groupBy(this.callers.values(), ({ account }) => account);
    const totals = new Map<string, number>();
    for (const [account, callers] of accounts) {
      totals.set(
        account,
        callers.reduce((sum, caller) => sum + this.offeredBy(caller, now), 0),
      );
    }
    const perAccount = fairLevel([...totals.values()], this.capacity);
    for (const callers of accounts.values()) {
      const loads = callers.map((caller) => this.offeredBy(caller, now));
      const allowed = fairLevel(loads, perAccount);
      for (const caller of callers) caller.allowed = allowed;
    }
  }

  private offeredBy(caller: Caller, now: number): number {
    return this.weigh(caller.offered, caller.offeredBefore, now);
  }

  /** Over about the last span: this one, and what is left of the one before. */
  private weigh(current: number, before: number, now: number): number {
    return current + before * Math.max(0, 1 - (now - this.windowStart) / this.settings.windowMs);
  }

  private turn(now: number): void {
    const { windowMs } = this.settings;
    const elapsed = now - this.windowStart;
    if (elapsed < windowMs) return;
    const stale = elapsed >= 2 * windowMs;
    this.windowStart = stale ? now : this.windowStart + windowMs;
    for (const [key, caller] of this.callers) {
      caller.offeredBefore = stale ? 0 : caller.offered;
      caller.admittedBefore = stale ? 0 : caller.admitted;
      caller.offered = 0;
      caller.admitted = 0;
      if (caller.offeredBefore === 0) this.callers.delete(key);
    }
  }
}
