import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ListenSocket, openListenSocket } from '../../adapters/listen-socket/index.ts';
import type { Disposable } from '../../core/base/disposable.ts';

/** The API's socket and the object store's. */
interface Pair {
  readonly api: ListenSocket;
  readonly objects: ListenSocket;
}

/** Everything the platform listens on. */
export interface Sockets extends Disposable {
  readonly open: Pair;
  /** On loopback, without TLS: for instances and for clients on this machine. Only when `open` speaks TLS. */
  readonly local: Pair | undefined;
}

interface Wanted {
  readonly host: string;
  readonly port: number;
  readonly objectsPort: number;
  readonly tls: object | undefined;
}

const LOCAL_HOST = '127.0.0.1';
/** In the data folder: instances that outlived a killed platform know these ports. */
const LOCAL_PORTS = 'local-ports.json';

/** Opens them all or none; rejects when an address is taken or not this machine's. */
export async function openSockets(wanted: Wanted, data: string): Promise<Sockets> {
  const opened: ListenSocket[] = [];
  const openOne = async (host: string, port: number): Promise<ListenSocket> => {
    const socket = await openListenSocket(host, port);
    opened.push(socket);
    return socket;
  };
  const dispose = (): void => {
    for (const socket of opened.splice(0)) socket.dispose();
  };
  try {
    const { host, port, objectsPort, tls } = wanted;
    const open = { api: await openOne(host, port), objects: await openOne(host, objectsPort) };
    if (tls === undefined) return { open, local: undefined, dispose };
    const [apiPort, localObjectsPort] = rememberedPorts(data);
    const again = (before: number): Promise<ListenSocket> =>
      openOne(LOCAL_HOST, before).catch((error: unknown) => {
        if (before === 0) throw error;
        return openOne(LOCAL_HOST, 0); // somebody else has taken it meanwhile
      });
    const local = { api: await again(apiPort), objects: await again(localObjectsPort) };
    writeFileSync(join(data, LOCAL_PORTS), `${JSON.stringify([local.api.port, local.objects.port])}\n`, {
      mode: 0o600,
    });
    return { open, local, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** Two ports, 0 where there is none that could be used again. */
function rememberedPorts(data: string): [number, number] {
  try {
    const ports: unknown = JSON.parse(readFileSync(join(data, LOCAL_PORTS), 'utf8'));
    if (Array.isArray(ports) && ports.every((port) => Number.isInteger(port) && port > 0 && port < 65_536))
      return [Number(ports[0] ?? 0), Number(ports[1] ?? 0)];
  } catch {
    // the first start, or a file that a full disk cut short
  }
  return [0, 0];
}
