import { Rhythm } from './keep-alive-rhythm.ts';

/** What to do during a gap between calls, milliseconds since it began. */
export interface GapPlan {
  /** Keep the instance until then; not later than now: end it. */
  readonly keep: number;
  /** Start one again then; Infinity: not at all. */
  readonly wake: number;
  /** And keep that one until then. */
  readonly until: number;
}

/** What things are worth against one another, all in MB x milliseconds of memory held idle. */
export interface Worth {
  readonly memoryMb: number;
  /** A call that need not wait for a start. */
  readonly warmCall: number;
  /** The processor time of one start. */
  readonly start: number;
}

/** What a plan is to be made for. */
export interface PlanQuestion {
  readonly worth: Worth;
  /** What all versions together know, and as how many gaps of its own it counts. */
  readonly prior: GapHistory;
  readonly priorWeight: number;
  /** Bins to each side over which a first gap is spread; the more gaps are known, the fewer. */
  readonly spread: number;
  /** False: only how long to keep is asked. */
  readonly mayWake: boolean;
  /** So much of the gap has passed, milliseconds. */
  readonly elapsed: number;
}

/** Bins grow by this factor: an edge is at most 9 % off. */
const BINS_PER_DOUBLING = 8;
/** Half a gap is taken to be longer than all that were seen (Krichevsky-Trofimov): nothing is certain. */
const UNSEEN = 0.5;
/** When a bin is full all are halved, so that the past fades. */
const BIN_FULL = 255;

/** Written anew by each plan: what every bin weighs, whether to keep an instance through it, whether to start one at its edge. */
const MOST_BINS = 256;
const weights = new Float64Array(MOST_BINS);
const stays = new Uint8Array(MOST_BINS);
const wakes = new Uint8Array(MOST_BINS);

/** Never written: the bins of all that have not counted yet. */
const NO_GAPS = new Map<number, Uint8Array>();

function noGaps(length: number): Uint8Array {
  let none = NO_GAPS.get(length);
  if (none === undefined) {
    none = new Uint8Array(length);
    NO_GAPS.set(length, none);
  }
  return none;
}

/**
 * Histogram of the gaps between calls, after "Serverless in the Wild" (Shahrad et al., USENIX ATC 2020), with bins that grow
 * (a version costs about 200 bytes and not a kilobyte) and without gaps below `shortest`: no keep-alive is that short, so they
 * cost nothing on the hot path, and what is read is the distribution of a gap that has lasted that long already.
 * Recording and planning are O(1): the number of bins is fixed.
 */
export class GapHistory {
  /** Gaps inside the range; fades with the bins. */
  samples = 0;
  /** Gaps longer than the range, or whose end nobody has seen. */
  beyond = 0;
  /** One for all until there is something to count. */
  private bins: Uint8Array | Float64Array;
  private readonly shortest: number;
  private readonly everything: boolean;
  private rhythm: Rhythm | undefined = undefined;

  /** `everything`: holds the gaps of all versions together and never fades. */
  constructor(shortest: number, longest: number, everything = false) {
    this.shortest = shortest;
    const bins = Math.min(Math.ceil(Math.log2(longest / shortest) * BINS_PER_DOUBLING), MOST_BINS);
    this.everything = everything;
    this.bins = everything ? new Float64Array(bins) : noGaps(bins);
  }

  /** A gap of at least `shortest`. */
  record(gapMs: number): void {
    const bin = this.binOf(gapMs);
    if (!this.everything) {
      this.rhythm ??= new Rhythm();
      this.rhythm.note(gapMs);
      if (this.bins === NO_GAPS.get(this.bins.length)) this.bins = new Uint8Array(this.bins.length);
    }
    if (bin >= this.bins.length) {
      this.beyond++;
      return;
    }
    const count = (this.bins[bin] ?? 0) + 1;
    this.bins[bin] = count;
    this.samples++;
    if (count >= BIN_FULL && !this.everything) this.fade();
  }

  /** A gap that something else ended at a time when its own end had not come: it is longer than that. */
  recordUnfinished(): void {
    if (++this.beyond >= BIN_FULL && !this.everything) this.fade();
  }

  /**
   * The cheapest plan for the rest of a gap like those recorded and `priorWeight` more like those of `prior`, when `elapsed` of
   * it has passed and an instance is there. Waiting calls, memory held and starts together cost least in the mean: at the edge
   * of each bin it is best to have an instance or not to, which follows from what is best at the next one.
   */
  plan({ worth, prior, priorWeight, spread, mayWake, elapsed }: PlanQuestion): GapPlan {
    const rhythm = mayWake ? this.rhythm?.plan(worth, elapsed) : undefined;
    if (rhythm !== undefined) return rhythm;
    const { memoryMb, warmCall, start } = worth;
    const bins = this.bins.length;
    const priorTotal = prior.samples + prior.beyond;
    const scale = priorTotal === 0 ? 0 : priorWeight / priorTotal;
    this.weigh(prior, scale, spread);
    // How often a gap lasts longer than this; what the rest of it costs with an instance and without one.
    let after = this.beyond + prior.beyond * scale + UNSEEN;
    let on = after * warmCall;
    let off = on;
    for (let bin = bins - 1; bin >= 0; bin--) {
      const weight = weights[bin] ?? 0;
      const width = this.edge(bin + 1) - this.edge(bin);
      const stay = on + (weight / 2 + after) * width * memoryMb;
      const wait = off + weight * warmCall;
      after += weight;
      const woken = mayWake ? stay + after * start : Number.POSITIVE_INFINITY;
      off = Math.min(wait, woken);
      on = Math.min(stay, off);
      stays[bin] = stay <= off ? 1 : 0;
      wakes[bin] = woken < wait ? 1 : 0;
    }
    return this.follow(Math.min(this.binOf(elapsed), bins), elapsed);
  }

  /** Reads the plan off what is best in each bin, from `first` on. */
  private follow(first: number, elapsed: number): GapPlan {
    const bins = this.bins.length;
    let bin = first;
    while (bin < bins && stays[bin] === 1) bin++;
    const keep = bin === first ? elapsed : this.edge(bin);
    while (bin < bins && wakes[bin] === 0) bin++;
    if (bin >= bins) return { keep, wake: Number.POSITIVE_INFINITY, until: 0 };
    const wake = this.edge(bin);
    while (bin < bins && stays[bin] === 1) bin++;
    return { keep, wake, until: this.edge(bin) };
  }

  /**
   * Own and foreign weights of all bins, the own ones spread over their neighbours: the fewer gaps are known, the wider, since a
   * bin next to a known gap is then as likely as the bin itself.
   */
  private weigh(prior: GapHistory, scale: number, spread: number): void {
    const bins = this.bins.length;
    for (let bin = 0; bin < bins; bin++) weights[bin] = (prior.bins[bin] ?? 0) * scale;
    if (this.samples === 0) return;
    const reach = Math.max(1, Math.round(spread / Math.cbrt(this.samples)));
    const norm = 1 / (reach + 1) ** 2;
    for (let bin = 0; bin < bins; bin++) {
      const count = this.bins[bin] ?? 0;
      if (count === 0) continue;
      for (let by = -reach; by <= reach; by++) {
        const to = Math.min(Math.max(bin + by, 0), bins - 1);
        weights[to] = (weights[to] ?? 0) + count * (reach + 1 - Math.abs(by)) * norm;
      }
    }
  }

  private binOf(gapMs: number): number {
    return Math.floor(Math.log2(Math.max(gapMs / this.shortest, 1)) * BINS_PER_DOUBLING);
  }

  private edge(bin: number): number {
    return this.shortest * 2 ** (bin / BINS_PER_DOUBLING);
  }

  private fade(): void {
    this.samples = 0;
    for (let bin = 0; bin < this.bins.length; bin++) {
      const half = (this.bins[bin] ?? 0) >>> 1;
      this.bins[bin] = half;
      this.samples += half;
    }
    this.beyond >>>= 1;
  }
}
