/** Events leased in one call, at first and when some of the last found no room: breadth that waits here is not depth first. */
const LEAST = 32;
/** And while all of them find room: each call is a commit to the disk, which costs as much as several events. */
const MOST = 256;

/** How many events are worth asking the queue for at once. */
export class LeaseBatch {
  private current = LEAST;

  get size(): number {
    return this.current;
  }

  /** So many were asked for and came; `parked`: some of them have to wait for room. */
  took(asked: number, came: number, parked: boolean): void {
    if (parked) this.current = LEAST;
    else if (came === asked) this.current = Math.min(2 * this.current, MOST);
  }
}
