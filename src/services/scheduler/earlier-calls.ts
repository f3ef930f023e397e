import type { InstanceLink } from '../../core/ports/instance-link.ts';

/** Calls that an earlier server began and that adopted instances still work on. Their answers go nowhere. */
export class EarlierCalls {
  private readonly running = new Map<string, Promise<void>>();

  /** The link was just made to an instance that was found. */
  found(link: InstanceLink): void {
    if (link.busyAtConnect.length === 0) return;
    const ended = Promise.race([link.drained(), link.closed]).then(() => {
      for (const requestId of link.busyAtConnect) this.running.delete(requestId);
    });
    for (const requestId of link.busyAtConnect) this.running.set(requestId, ended);
  }

  /** Resolves when the call has ended, or its instance has; undefined: no such call runs. */
  ended(requestId: string): Promise<void> | undefined {
    return this.running.get(requestId);
  }
}
