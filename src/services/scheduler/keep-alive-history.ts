/** What to do while a version is quiet, milliseconds since its last call ended. */
export interface QuietPlan {
  /** End the instance at once and start one again at this time; 0: do not, keep it. */
  readonly wake: number;
  /** Keep it (or the one started again) until then. */
  readonly keep: number;
}

/** What things are worth against one another, all in MB x milliseconds of memory held idle. */
export interface Worth {
  readonly memoryMb: number;
  /** A call that need not wait for a start. */
  readonly warmCall: number;
  /** The processor time of one start. */
  readonly start: number;
}

/** Bins grow by this factor: an edge is at most 9 % off. */
const BINS_PER_DOUBLING = 8;
/** Half a gap is taken to be longer than all that were seen (Krichevsky-Trofimov): nothing is certain. */
const UNSEEN = 0.5;
/** When a bin is full all are halved, so that the past fades. */
const BIN_FULL = 255;

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
  private readonly bins: Uint8Array | Float64Array;
  private readonly shortest: number;

  /** `everything`: holds the gaps of all versions together and never fades. */
  constructor(shortest: number, longest: number, everything = false) {
    this.shortest = shortest;
    const bins = Math.ceil(Math.log2(longest / shortest) * BINS_PER_DOUBLING);
    this.bins = everything ? new Float64Array(bins) : new Uint8Array(bins);
  }

  /** A gap of at least `shortest`. */
  record(gapMs: number): void {
    const bin = Math.floor(Math.log2(Math.max(gapMs / this.shortest, 1)) * BINS_PER_DOUBLING);
    if (bin >= this.bins.length) {
      this.beyond++;
      return;
    }
    const count = (this.bins[bin] ?? 0) + 1;
    this.bins[bin] = count;
    this.samples++;
    if (count >= BIN_FULL && this.bins instanceof Uint8Array) this.fade();
  }

  /**
   * The cheapest plan for a gap like those recorded and `priorWeight` more like those of `prior`: waiting calls, memory held
   * and starts together cost least in the mean. `mayWake` false: only how long to keep.
   */
  plan(worth: Worth, prior: GapHistory, priorWeight: number, mayWake: boolean): QuietPlan {
    const priorTotal = prior.samples + prior.beyond;
    const scale = priorTotal === 0 ? 0 : priorWeight / priorTotal;
    const { memoryMb, warmCall, start } = worth;
    const count = this.bins.length;
    // Cost of keeping until the upper edge of a bin, from the longest down; the best so far is the best T for a wake here.
    let after = this.beyond + prior.beyond * scale + UNSEEN;
    let held = 0;
    let total = after;
    for (let bin = 0; bin < count; bin++) {
      const weight = (this.bins[bin] ?? 0) + (prior.bins[bin] ?? 0) * scale;
      total += weight;
      held += weight * this.edge(bin + 0.5) * memoryMb;
    }
    let best: QuietPlan = { wake: 0, keep: this.shortest };
    // Ended when the shortest gap has passed: every call that comes waits.
    let least = total * (this.shortest * memoryMb + warmCall);
    let bestKeep = { cost: Number.POSITIVE_INFINITY, keep: 0 };
    for (let bin = count - 1; bin >= 0; bin--) {
      const weight = (this.bins[bin] ?? 0) + (prior.bins[bin] ?? 0) * scale;
      const keep = this.edge(bin + 1);
      const cost = held + after * (keep * memoryMb + warmCall);
      if (cost <= bestKeep.cost) bestKeep = { cost, keep };
      held -= weight * this.edge(bin + 0.5) * memoryMb;
      after += weight;
      const from = this.edge(bin);
      const saved = held + after * from * memoryMb;
      const woken = bestKeep.cost - saved + (total - after) * warmCall + after * start;
      if (mayWake && weight > 0 && woken < least) {
        least = woken;
        best = { wake: from, keep: bestKeep.keep };
      }
    }
    return bestKeep.cost <= least ? { wake: 0, keep: bestKeep.keep } : best;
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
