/** A version with more timers than this is called so often that it stays warm by itself. */
const MOST = 8;

/** Calls of one version whose time is known ahead: its own timers. Holds the nearest few, earliest first. */
export class Expectations {
  private readonly times: number[] = [];
  private lastPassed = Number.NEGATIVE_INFINITY;

  /** True once any call was expected. */
  get known(): boolean {
    return this.times.length > 0 || this.lastPassed > Number.NEGATIVE_INFINITY;
  }

  /** A call is due at `at`. The same time may be said again. */
  add(at: number): void {
    if (this.times.includes(at)) return;
    this.times.push(at);
    this.times.sort((a, b) => a - b);
    if (this.times.length > MOST) this.times.pop();
  }

  /** The next time that is still ahead, Infinity when none is known. */
  next(now: number): number {
    for (let first = this.times[0]; first !== undefined && first <= now; first = this.times[0]) {
      this.lastPassed = first;
      this.times.shift();
    }
    return this.times[0] ?? Number.POSITIVE_INFINITY;
  }

  /** True when a call now is one that was expected: at most `early` before or `late` after its time. */
  explains(now: number, early: number, late: number): boolean {
    return this.next(now) - now <= early || now - this.lastPassed <= late;
  }
}
