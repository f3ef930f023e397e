import type { GapPlan, Worth } from './keep-alive-history.ts';

/** Fewer gaps than this show no rhythm. */
const ENOUGH = 4;
/** The next call is awaited this many mean deviations before and after its time (5 of a normal distribution are 4 sigma). */
const DEVIATIONS = 5;
/** And at least this long, milliseconds. */
const SLACK_MS = 500;
/** A gap this far from the mean is none of the rhythm, and a rhythm that is less exact is none: the histogram knows as much. */
const SHARE = 0.1;
/** So many gaps in a row that are none of it: a new rhythm begins. */
const LOST = 3;
/** When so many were counted both counts are halved, so that the past fades. */
const MOST = 255;

/**
 * Gaps that are nearly equal, as those of somebody who asks every minute: no bin of a histogram is as narrow as what is known of
 * them. Learns mean and spread of the gaps that keep to it and how many do not.
 */
export class Rhythm {
  private mean = 0;
  private deviation = 0;
  private hits = 0;
  private misses = 0;
  private missesInRow = 0;

  note(gapMs: number): void {
    if (this.mean === 0 || this.missesInRow >= LOST) {
      this.mean = gapMs;
      this.deviation = gapMs * (SHARE / DEVIATIONS);
      this.hits = 1;
      this.misses = 0;
      this.missesInRow = 0;
      return;
    }
    const off = gapMs - this.mean;
    if (Math.abs(off) > Math.min(this.slack(), this.mean * SHARE)) {
      this.misses++;
      this.missesInRow++;
    } else {
      this.missesInRow = 0;
      this.hits++;
      const weight = 1 / Math.min(this.hits, 8);
      this.mean += off * weight;
      this.deviation += (Math.abs(off) - this.deviation) * weight;
    }
    if (this.hits + this.misses > MOST) {
      this.hits /= 2;
      this.misses /= 2;
    }
  }

  /**
   * End now and start again just before the next call is due; undefined when that is not known so well that what it saves is
   * worth the calls which come out of turn.
   */
  plan({ memoryMb, start, warmCall }: Worth, elapsed: number): GapPlan | undefined {
    const slack = this.slack();
    const keep = this.mean + slack;
    const wake = this.mean - slack;
    if (this.hits < ENOUGH || slack > this.mean * SHARE || elapsed >= keep) return undefined;
    const missed = (this.misses + 0.5) / (this.hits + this.misses + 1);
    return (wake - elapsed) * memoryMb > start + missed * warmCall ? { keep: elapsed, wake, until: keep } : undefined;
  }

  private slack(): number {
    return Math.max(this.deviation * DEVIATIONS, SLACK_MS);
  }
}
