import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../core/base/clock.ts';
import type { Disposable } from '../../core/base/disposable.ts';

/** How far past its time a connection may live. */
const SWEEP_MS = 5_000;

/** Closes connections whose request body has stopped coming for `limitMs`; one that we do not read is not the client's fault. */
export class StalledBodies implements Disposable {
  private readonly clock: Clock;
  private readonly limitMs: number;
  private readonly open = new Map<IncomingMessage, { bytes: number; since: number }>();
  private timer: Disposable | undefined = undefined;

  constructor(clock: Clock, limitMs: number) {
    this.clock = clock;
    this.limitMs = limitMs;
  }

  watch(req: IncomingMessage): void {
    const { headers } = req;
    const announced = headers['transfer-encoding'] ?? headers['content-length'] ?? '0';
    if (announced === '0' || req.complete) return;
    this.open.set(req, { bytes: req.socket.bytesRead, since: this.clock.monotonic() });
    req.once('close', () => this.open.delete(req));
    this.timer ??= this.clock.after(SWEEP_MS, () => this.sweep());
  }

  dispose(): void {
    this.timer?.dispose();
    this.timer = undefined;
  }

  private sweep(): void {
    const now = this.clock.monotonic();
    for (const [req, seen] of this.open) {
      const { bytesRead } = req.socket;
      const unread = req.readableLength >= req.readableHighWaterMark;
      if (req.complete) this.open.delete(req);
      else if (bytesRead !== seen.bytes || unread) this.open.set(req, { bytes: bytesRead, since: now });
      else if (now - seen.since > this.limitMs) req.socket.destroy();
    }
    this.timer = this.open.size === 0 ? undefined : this.clock.after(SWEEP_MS, () => this.sweep());
  }
}
