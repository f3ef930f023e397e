import koffi from 'koffi';

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 1 | 0o2000000;
const ADDRESS_BYTES = 110;

/** A Unix socket that listens already, as a sandbox hands it to a runtime: a descriptor to inherit. Close it after the spawn. */
export function listeningSocket(path: string): { readonly fd: number; close(): void } {
  const libc = koffi.load('libc.so.6');
  const socket = libc.func('int socket(int, int, int)');
  const bind = libc.func('int bind(int, const void *, uint32)');
  const listen = libc.func('int listen(int, int)');
  const close = libc.func('int close(int)');
  const fd = socket(AF_UNIX, SOCK_STREAM_CLOEXEC, 0) as number;
  const address = Buffer.alloc(ADDRESS_BYTES);
  address.writeUInt16LE(AF_UNIX, 0);
  address.write(path, 2);
  if (fd < 0 || bind(fd, address, ADDRESS_BYTES) !== 0 || listen(fd, 8) !== 0) {
    throw new Error(`cannot listen on ${path}`);
  }
  return { fd, close: () => void close(fd) };
}
