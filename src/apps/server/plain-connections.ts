import type { Socket } from 'node:net';
import type { Clock } from '../../core/base/clock.ts';
import type { Disposable } from '../../core/base/disposable.ts';
import type { Exchange } from '../../doors/wire/exchange.ts';
import { PlainConnection, type PlainOptions } from './plain-connection.ts';
import type { Taken } from './plain-request.ts';

/** Which plain requests are answered without `node:http`, and by whom. */
export interface PlainCalls {
  readonly taken: Taken;
  /** Answers every exchange, whatever happens; never throws. */
  readonly handle: (exchange: Exchange) => void;
}

interface Parts {
  readonly calls: PlainCalls;
  readonly clock: Clock;
  readonly headersTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly handOver: (socket: Socket) => void;
}

/** How far past its time a silent connection may live. */
const SWEEP_MS = 5_000;

/** The connections of one listener that have not been handed over: their time-outs, and their end. */
export class PlainConnections implements Disposable {
  private readonly parts: Parts;
  private readonly options: PlainOptions;
  private readonly open = new Set<PlainConnection>();
  private draining = false;
  private timer: Disposable | undefined = undefined;

  constructor(parts: Parts) {
    this.parts = parts;
    this.options = {
      ...parts.calls,
      clock: parts.clock,
      keepAliveSeconds: Math.floor(parts.keepAliveMs / 1000),
      handOver: (connection, socket) => {
        this.open.delete(connection);
        parts.handOver(socket);
      },
      closed: (connection) => this.open.delete(connection),
      draining: () => this.draining,
    };
  }

  accept(socket: Socket): void {
    this.open.add(new PlainConnection(socket, this.options));
    this.timer ??= this.parts.clock.after(SWEEP_MS, () => this.sweep());
  }

  /** Idle connections close now, the others with their answer. */
  drain(): void {
    this.draining = true;
    for (const connection of this.open) if (connection.idle) connection.destroy();
  }

  closeAll(): void {
    for (const connection of this.open) connection.destroy();
  }

  dispose(): void {
    this.timer?.dispose();
    this.timer = undefined;
  }

  /** Closes who has been silent for too long: shorter before the first request than between two. */
  private sweep(): void {
    const { clock, headersTimeoutMs, keepAliveMs } = this.parts;
    const now = clock.monotonic();
    for (const connection of this.open) {
      const limit = connection.served ? keepAliveMs : headersTimeoutMs;
      if (connection.idle && now - connection.idleSince > limit) connection.destroy();
      else if (connection.stalledSince(now - headersTimeoutMs)) connection.destroy();
    }
    this.timer = this.open.size === 0 ? undefined : clock.after(SWEEP_MS, () => this.sweep());
  }
}
