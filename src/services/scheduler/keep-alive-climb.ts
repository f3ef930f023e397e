/** A level of demand that was not reached for this long is reached anew, milliseconds. */
const ANEW_MS = 600_000;
/** So many climbs of all versions together count for one version. */
const PRIOR_WEIGHT = 2;
/** When so many were counted all counts are halved, so that the past fades. */
const MOST = 255;

/**
 * How often demand that reaches a level (so many instances busy at once) anew goes on to the next within ten minutes: what a
 * spare instance, started when a level is reached, would have been good for.
 */
export class ClimbRecord {
  private climbs = 0;
  private went = 0;
  private reachedAt: number[] | undefined = undefined;

  /** Level `level` is busy now, `gapMs` after it last was (Infinity: never). True when that is a climb. */
  reached(level: number, gapMs: number, now: number, everybody: ClimbRecord): boolean {
    if (gapMs < ANEW_MS) return false;
    this.count(1, 0);
    everybody.count(1, 0);
    if (level > 0 && now - (this.reachedAt?.[level - 1] ?? Number.NEGATIVE_INFINITY) < ANEW_MS) {
      this.count(0, 1);
      everybody.count(0, 1);
    }
    this.reachedAt ??= [];
    for (let i = this.reachedAt.length; i < level; i++) this.reachedAt.push(Number.NEGATIVE_INFINITY);
    this.reachedAt[level] = now;
    return true;
  }

  /** The chance that the next level is reached too. */
  chance(everybody: ClimbRecord): number {
    const usual = (everybody.went + 0.5) / (everybody.climbs + 5);
    return (this.went + PRIOR_WEIGHT * usual) / (this.climbs + PRIOR_WEIGHT);
  }

  private count(climbs: number, went: number): void {
    this.climbs += climbs;
    this.went += went;
    if (this.climbs <= MOST) return;
    this.climbs /= 2;
    this.went /= 2;
  }
}
