import { BlockList, isIP, isIPv6 } from 'node:net';
import { lookup } from 'node:dns/promises';
import koffi from 'koffi';
import { type Disposable, toDisposable } from '../../core/base/disposable.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM_CLOEXEC = 1 | 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const BACKLOG = 4096;
const EADDRINUSE = 98;
const EACCES = 13;

/** A listening TCP socket that nobody accepts on yet. */
export interface ListenSocket extends Disposable {
  /** Descriptor to hand to a child process. */
  readonly descriptor: number;
  readonly port: number;
}

/**
 * Opens a listening socket without accepting on it. The process that holds it open lets another one accept: connections wait
 * in the kernel while that one is restarted, none is refused. Throws when the address is taken or not this machine's.
 */
export async function openListenSocket(host: string, port: number): Promise<ListenSocket> {
  const address = isIP(host) === 0 ? (await lookup(host)).address : host;
  const libc = koffi.load('libc.so.6');
  const socket = libc.func('int socket(int, int, int)');
  const setsockopt = libc.func('int setsockopt(int, int, int, const void *, int)');
  const bind = libc.func('int bind(int, const void *, int)');
  const listen = libc.func('int listen(int, int)');
  const getsockname = libc.func('int getsockname(int, _Out_ uint8_t *, _Inout_ int *)');
  const close = libc.func('int close(int)');
  const six = isIPv6(address);
  const descriptor = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM_CLOEXEC, 0) as number;
  if (descriptor < 0) throw new Error(`cannot make a socket (errno ${koffi.errno()})`);
  const fail = (what: string): never => {
    const errno = koffi.errno();
    close(descriptor);
    const reason =
      errno === EADDRINUSE ? 'the port is in use' : errno === EACCES ? 'the port needs privileges' : `errno ${errno}`;
    throw new Error(`cannot ${what} ${host}:${port}: ${reason}`);
  };
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, Buffer.from([1, 0, 0, 0]), 4);
  const name = six ? socketAddress6(address, port) : socketAddress4(address, port);
  if ((bind(descriptor, name, name.length) as number) !== 0) fail('bind');
  if ((listen(descriptor, BACKLOG) as number) !== 0) fail('listen on');
  const bound = Buffer.alloc(28);
  if ((getsockname(descriptor, bound, [bound.length]) as number) !== 0) fail('read the port of');
  const release = toDisposable(() => void close(descriptor));
  return { descriptor, port: bound.readUInt16BE(2), dispose: () => release.dispose() };
}

function socketAddress4(address: string, port: number): Buffer {
  const name = Buffer.alloc(16);
  name.writeUInt16LE(AF_INET, 0);
  name.writeUInt16BE(port, 2);
  name.set(address.split('.').map(Number), 4);
  return name;
}

function socketAddress6(address: string, port: number): Buffer {
  const name = Buffer.alloc(28);
  name.writeUInt16LE(AF_INET6, 0);
  name.writeUInt16BE(port, 2);
  name.set(bytesOfIPv6(address), 8);
  return name;
}

/** The sixteen bytes of an address in text; a leading or inner `::` stands for the zeros that are missing. */
export function bytesOfIPv6(address: string): Uint8Array {
  const plain = address.split('%')[0] ?? address;
  const [head = '', tail] = plain.split('::');
  const groups = (text: string): number[] => (text === '' ? [] : text.split(':').flatMap(groupBytes));
  const first = groups(head);
  const last = tail === undefined ? [] : groups(tail);
  return Uint8Array.from([...first, ...Array.from({ length: 16 - first.length - last.length }, () => 0), ...last]);
}

function groupBytes(group: string): number[] {
  if (group.includes('.')) return group.split('.').map(Number);
  const value = Number.parseInt(group, 16);
  return [value >> 8, value & 0xff];
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** True when only this machine can reach `address`. */
export function isLoopback(address: string): boolean {
  if (address === 'localhost') return true;
  const family = isIP(address);
  return family !== 0 && LOOPBACK.check(address, family === 6 ? 'ipv6' : 'ipv4');
}
