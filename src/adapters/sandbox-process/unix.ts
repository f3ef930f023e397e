import koffi from 'koffi';

/** What Node lacks for handing a listening socket and a FIFO to a child that outlives it. */
const libc = koffi.load(null);
const c = {
  socket: libc.func('socket', 'int', ['int', 'int', 'int']),
  bind: libc.func('bind', 'int', ['int', 'void *', 'uint']),
  listen: libc.func('listen', 'int', ['int', 'int']),
  close: libc.func('close', 'int', ['int']),
  mkfifo: libc.func('mkfifo', 'int', ['str', 'uint']),
};

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 1 | 0o2000000;
const SOCKET_PATH_BYTES = 108;
const BACKLOG = 128;

function check(result: number, what: string): number {
  if (result < 0) throw new Error(`${what} failed: errno ${koffi.errno()}`);
  return result;
}

/** A listening Unix socket at `path`; the caller closes the descriptor. */
export function listenUnix(path: string): number {
  const bytes = Buffer.from(path);
  if (bytes.length >= SOCKET_PATH_BYTES) throw new Error(`${path} is too long for a Unix socket`);
  const descriptor = check(c.socket(AF_UNIX, SOCK_STREAM_CLOEXEC, 0), 'socket');
  const address = Buffer.alloc(2 + SOCKET_PATH_BYTES);
  address.writeUInt16LE(AF_UNIX, 0);
  bytes.copy(address, 2);
  try {
    check(c.bind(descriptor, address, address.length), `bind ${path}`);
    check(c.listen(descriptor, BACKLOG), `listen ${path}`);
    return descriptor;
  } catch (error) {
    c.close(descriptor);
    throw error;
  }
}

export function mkfifo(path: string): void {
  check(c.mkfifo(path, 0o600), `mkfifo ${path}`);
}
