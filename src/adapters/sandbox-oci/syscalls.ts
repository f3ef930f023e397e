import koffi from 'koffi';

/**
 * The system calls that Node does not offer, through FFI: microseconds each, where spawning `mount` or `losetup` costs
 * milliseconds and a process. Structures are laid out by hand in buffers (x86-64 and arm64 agree on all of them).
 */
export class SystemCallError extends Error {
  override readonly name = 'SystemCallError';
  readonly code: string;
  readonly call: string;

  constructor(call: string, code: string, subject: string) {
    super(`${call} ${subject}: ${code}`);
    this.call = call;
    this.code = code;
  }
}

const libc = koffi.load(null);
const c = {
  mount: libc.func('mount', 'int', ['str', 'str', 'str', 'ulong', 'str']),
  umount2: libc.func('umount2', 'int', ['str', 'int']),
  socket: libc.func('socket', 'int', ['int', 'int', 'int']),
  bind: libc.func('bind', 'int', ['int', 'void *', 'uint']),
  listen: libc.func('listen', 'int', ['int', 'int']),
  mkfifo: libc.func('mkfifo', 'int', ['str', 'uint']),
  ioctl: libc.func('ioctl', 'int', ['int', 'ulong', 'ulong']),
  ioctlPointer: libc.func('ioctl', 'int', ['int', 'ulong', 'void *']),
  poll: libc.func('poll', 'int', ['void *', 'ulong', 'int']),
  flock: libc.func('flock', 'int', ['int', 'int']),
  close: libc.func('close', 'int', ['int']),
  prctl: libc.func('prctl', 'int', ['int', 'ulong', 'ulong', 'ulong', 'ulong']),
  mknod: libc.func('mknod', 'int', ['str', 'uint', 'ulong']),
  lseek: libc.func('lseek', 'int64', ['int', 'int64', 'int']),
  wait4: libc.func('wait4', 'int', ['int', 'void *', 'int', 'void *']),
  pidfd: libc.func('syscall', 'long', ['long', 'long', 'long']),
  pidfdSignal: libc.func('syscall', 'long', ['long', 'long', 'long', 'void *', 'long']),
  openTree: libc.func('syscall', 'long', ['long', 'long', 'str', 'long']),
  mountSetattr: libc.func('syscall', 'long', ['long', 'long', 'str', 'long', 'void *', 'long']),
  moveMount: libc.func('syscall', 'long', ['long', 'long', 'str', 'long', 'str', 'long']),
};

const ERRNO_NAMES = new Map<number, string>(Object.entries(koffi.os.errno).map(([name, value]) => [value, name]));

function check(result: number, call: string, subject: string): number {
  if (result >= 0) return result;
  const errno = koffi.errno();
  throw new SystemCallError(call, ERRNO_NAMES.get(errno) ?? `errno ${errno}`, subject);
}

export const MS = {
  rdonly: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  remount: 32,
  bind: 4096,
  rec: 16384,
  private: 1 << 18,
  slave: 1 << 19,
  shared: 1 << 20,
} as const;

/** mount(2). Throws SystemCallError. */
export function mount(source: string, target: string, type: string | null, flags: number, data: string | null): void {
  check(c.mount(source, target, type, flags, data), 'mount', `${source} on ${target}`);
}

const MNT_DETACH = 2;

/** Unmounts lazily; nothing mounted there (or no such path) is fine. Everything stacked at the path goes. */
export function detach(target: string): void {
  for (;;) {
    if (c.umount2(target, MNT_DETACH) === 0) continue;
    const code = ERRNO_NAMES.get(koffi.errno());
    if (code === 'EINVAL' || code === 'ENOENT' || code === 'ENOTDIR') return;
    throw new SystemCallError('umount2', code ?? 'errno', target);
  }
}

/** System calls off the event loop at once: the library refuses more than a fixed number, and threads are few. */
const MOST_IN_BACKGROUND = 16;
let inBackground = 0;
const waiting: (() => void)[] = [];

/** As `detach`, off the event loop: giving up a file system with unwritten data waits for the disk. Many at once take turns. */
export async function detachInBackground(target: string): Promise<void> {
  if (inBackground >= MOST_IN_BACKGROUND) await new Promise<void>((resolve) => waiting.push(resolve));
  else inBackground++;
  try {
    await new Promise<void>((resolve, reject) => {
      c.umount2.async(target, MNT_DETACH, (error: Error | null) => (error === null ? resolve() : reject(error)));
    });
  } finally {
    // Whoever waits takes the place over; it is free only when nobody does.
    const next = waiting.shift();
    if (next === undefined) inBackground--;
    else next();
  }
  detach(target);
}

const SYS_OPEN_TREE = 428;
const SYS_MOVE_MOUNT = 429;
const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_SEND_SIGNAL = 424;
const SYS_MOUNT_SETATTR = 442;
const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const OPEN_TREE_CLONE = 1;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const MOUNT_ATTR_RDONLY_NOSUID_NODEV = 0x1 | 0x2 | 0x4;

/**
 * Shows the folder `source` at `target` read-only, nosuid, nodev. The attributes are set while the mount is not attached
 * yet: what propagates into a running sandbox was never writable, not even for an instant. Needs Linux 5.12.
 */
export function attachReadOnly(source: string, target: string): void {
  const tree = check(
    Number(c.openTree(SYS_OPEN_TREE, AT_FDCWD, source, OPEN_TREE_CLONE | CLOEXEC)),
    'open_tree',
    source,
  );
  try {
    const attr = Buffer.alloc(32);
    attr.writeBigUInt64LE(BigInt(MOUNT_ATTR_RDONLY_NOSUID_NODEV), 0);
    attr.writeBigUInt64LE(BigInt(MS.private), 16);
    check(Number(c.mountSetattr(SYS_MOUNT_SETATTR, tree, '', AT_EMPTY_PATH, attr, 32)), 'mount_setattr', source);
    check(
      Number(c.moveMount(SYS_MOVE_MOUNT, tree, '', AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH)),
      'move_mount',
      `${source} to ${target}`,
    );
  } finally {
    c.close(tree);
  }
}

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const CLOEXEC = 0o2000000;
const SOCKET_PATH_BYTES = 108;

/** A listening Unix stream socket at `path`, close-on-exec, blocking. The caller closes the descriptor. */
export function listenUnix(path: string, backlog: number): number {
  const bytes = Buffer.from(path);
  if (bytes.length >= SOCKET_PATH_BYTES) throw new SystemCallError('bind', 'ENAMETOOLONG', path);
  const descriptor = check(c.socket(AF_UNIX, SOCK_STREAM | CLOEXEC, 0), 'socket', path);
  const address = Buffer.alloc(2 + SOCKET_PATH_BYTES);
  address.writeUInt16LE(AF_UNIX, 0);
  bytes.copy(address, 2);
  try {
    check(c.bind(descriptor, address, address.length), 'bind', path);
    check(c.listen(descriptor, backlog), 'listen', path);
    return descriptor;
  } catch (error) {
    c.close(descriptor);
    throw error;
  }
}

export function mkfifo(path: string, mode: number): void {
  check(c.mkfifo(path, mode), 'mkfifo', path);
}

/** Makes the device file of a loop device, for hosts whose /dev does not do it by itself. An existing one is fine. */
export function makeLoopNode(path: string, minor: number): void {
  const S_IFBLK = 0o60000;
  const LOOP_MAJOR = 7;
  const device = (minor & 0xff) | (LOOP_MAJOR << 8) | ((minor & ~0xff) << 12);
  if (c.mknod(path, S_IFBLK | 0o600, device) < 0 && ERRNO_NAMES.get(koffi.errno()) !== 'EEXIST') {
    throw new SystemCallError('mknod', ERRNO_NAMES.get(koffi.errno()) ?? 'errno', path);
  }
}

/** The ranges of a sparse file that hold data, as [offset, length] in bytes. */
export function dataRanges(descriptor: number, size: number): readonly (readonly [number, number])[] {
  const SEEK_DATA = 3;
  const SEEK_HOLE = 4;
  const ranges: [number, number][] = [];
  let position = 0;
  while (position < size) {
    const start = Number(c.lseek(descriptor, position, SEEK_DATA));
    if (start < 0) break;
    const end = Number(c.lseek(descriptor, start, SEEK_HOLE));
    ranges.push([start, end - start]);
    position = end;
  }
  return ranges;
}

/** ioctl(2) with a plain number; `pointer` variant below. Returns the call's result, throws SystemCallError. */
export function ioctl(descriptor: number, request: number, argument: number): number {
  return check(c.ioctl(descriptor, request, argument), 'ioctl', `0x${request.toString(16)}`);
}

export function ioctlBuffer(descriptor: number, request: number, argument: Buffer): number {
  return check(c.ioctlPointer(descriptor, request, argument), 'ioctl', `0x${request.toString(16)}`);
}

/** Tries to take an exclusive advisory lock; false when another holds it. Released with the descriptor. */
export function tryLock(descriptor: number): boolean {
  const LOCK_EX_NB = 2 | 4;
  return c.flock(descriptor, LOCK_EX_NB) === 0;
}

/** A descriptor that names this very process and never a later one with the same id; undefined when it is gone. */
export function openPidfd(pid: number): number | undefined {
  const descriptor = Number(c.pidfd(SYS_PIDFD_OPEN, pid, 0));
  return descriptor < 0 ? undefined : descriptor;
}

/** True while the process behind a pidfd lives (a zombie is dead). */
export function pidfdAlive(descriptor: number): boolean {
  const POLLIN = 1;
  const pollfd = Buffer.alloc(8);
  pollfd.writeInt32LE(descriptor, 0);
  pollfd.writeInt16LE(POLLIN, 4);
  for (;;) {
    const ready = c.poll(pollfd, 1, 0);
    if (ready >= 0) return ready === 0;
    // A signal that arrives just now (the end of some other child) interrupts even a look that does not wait.
    if (ERRNO_NAMES.get(koffi.errno()) !== 'EINTR') check(ready, 'poll', 'pidfd');
  }
}

/** Sends a signal through a pidfd; a process that is gone is fine. */
export function pidfdKill(descriptor: number, signal: number): void {
  c.pidfdSignal(SYS_PIDFD_SEND_SIGNAL, descriptor, signal, null, 0);
}

/** From now on orphaned descendants become children of this process, so that their exit status can be collected. */
export function becomeSubreaper(): void {
  const PR_SET_CHILD_SUBREAPER = 36;
  check(c.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 'prctl', 'PR_SET_CHILD_SUBREAPER');
}

/**
 * Collects a dead child: its exit code, or 128 + signal. `running`: it has not ended. `unknown`: not a child of this
 * process (it was adopted).
 */
export function reap(pid: number): number | 'running' | 'unknown' {
  const WNOHANG = 1;
  const status = Buffer.alloc(4);
  const result = c.wait4(pid, status, WNOHANG, null);
  if (result === 0) return 'running';
  if (result < 0) return 'unknown';
  const value = status.readInt32LE(0);
  const signal = value & 0x7f;
  return signal === 0 ? (value >> 8) & 0xff : 128 + signal;
}
