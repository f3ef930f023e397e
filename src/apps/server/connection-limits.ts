import type { Server, Socket } from 'node:net';
import { LIMITS } from '../../core/domain/limits.ts';

export interface ConnectionBounds {
  readonly all: number;
  readonly perAddress: number;
}

const BOUNDS: ConnectionBounds = { all: LIMITS.openConnections, perAddress: LIMITS.openConnectionsPerAddress };

/**
 * Bounds the open connections of one listener, in all and by the address they come from; before TLS, before a byte is read.
 * Who comes beyond is closed without an answer. Call after every other listener for `connection` is there.
 */
export function limitConnections(server: Server, bounds: ConnectionBounds = BOUNDS): void {
  const next = server.listeners('connection') as ((this: Server, socket: Socket) => void)[];
  const byAddress = new Map<string, number>();
  let all = 0;
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    const mine = byAddress.get(address) ?? 0;
    if (all >= bounds.all || mine >= bounds.perAddress) {
      socket.destroy();
      return;
    }
    all++;
    byAddress.set(address, mine + 1);
    socket.once('close', () => {
      all--;
      const left = (byAddress.get(address) ?? 1) - 1;
      if (left === 0) byAddress.delete(address);
      else byAddress.set(address, left);
    });
    for (const listener of next) listener.call(server, socket);
  });
}
