/**
 * Ways out that functions try. Every script runs as the main process of a sandbox and prints `OUT` when it got what it was
 * after; whatever else it prints, it was held.
 */
export interface Attempt {
  readonly what: string;
  readonly language: 'node' | 'python' | 'shell';
  readonly script: (scene: Scene) => string;
  /** Takes away the guard that holds it: an edit of the OCI bundle (`config`), as the body of a function. */
  readonly withoutGuard: (scene: Scene) => string;
}

/** What the host holds while the attempts run. */
export interface Scene {
  /** A file of the host that everybody may read. */
  readonly secret: string;
  /** In the arguments of another function's process. */
  readonly marker: string;
  /** A listener on the host's loopback address. */
  readonly hostPort: number;
  /** Process id on the host, and first user id, of another function's sandbox. */
  readonly neighbour: { readonly pid: number; readonly hostId: number };
  /** A folder of the host that everybody may write to. */
  readonly sharedFolder: string;
}

const NO_SECCOMP = 'delete config.linux.seccomp;';
const HOST_ROOT = `
  config.linux.namespaces = config.linux.namespaces.filter((space) => space.type !== 'user');
  delete config.linux.uidMappings; delete config.linux.gidMappings;
  config.process.user = { uid: 0, gid: 0 };`;
/** The kernel mounts a /proc only of process namespaces that belong to the user namespace: the host's is bound instead. */
const NO_PID_NAMESPACE = `
  config.linux.namespaces = config.linux.namespaces.filter((space) => space.type !== 'pid');
  config.linux.maskedPaths = []; config.linux.readonlyPaths = [];
  config.mounts[0] = { destination: '/proc', type: 'bind', source: '/proc', options: ['rbind', 'rprivate'] };`;

/** A system call that must not be reached: any answer of the kernel itself but "not permitted" is one. */
function call(name: string, number: number, args: string, guard = NO_SECCOMP): Attempt {
  return {
    what: `${name}: the kernel is not reached`,
    language: 'python',
    script: () => `
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
answer = libc.syscall(${number}, ${args})
code = ctypes.get_errno()
print("OUT" if answer >= 0 or code not in (errno.EPERM, errno.ENOSYS) else errno.errorcode[code])`,
    withoutGuard: () => guard,
  };
}

/** A file that only the host's root may write to; it is opened, never written. */
function hostSetting(path: string): Attempt {
  return {
    what: `${path} cannot be opened for writing`,
    language: 'shell',
    script: () => `if ( : >> ${path} ) 2>/dev/null; then echo OUT; else echo held; fi`,
    withoutGuard: () => `config.linux.readonlyPaths = []; config.linux.maskedPaths = []; ${HOST_ROOT}`,
  };
}

/** Numbers of x86-64. */
export const ATTEMPTS: readonly Attempt[] = [
  {
    what: 'a file of the host is not there, by any path',
    language: 'node',
    script: ({ secret }) => `
      const fs = require('node:fs');
      for (const path of ['', '/mnt', '/proc/1/root', '/proc/self/root', '/proc/self/cwd', '/tmp/../..'].map((at) => at + ${JSON.stringify(secret)}))
        try { if (fs.readFileSync(path, 'utf8') === 'secret') console.log('OUT', path); } catch {}`,
    withoutGuard: () =>
      `config.mounts.push({ destination: '/mnt', type: 'bind', source: '/', options: ['rbind', 'ro'] });`,
  },
  {
    what: "other functions' processes are not seen",
    language: 'python',
    script: ({ marker }) => `
import glob
for path in glob.glob("/proc/[0-9]*/cmdline"):
    try:
        if b"inside" + b"-${marker}" in open(path, "rb").read(): print("OUT")
    except OSError: pass`,
    withoutGuard: () => NO_PID_NAMESPACE,
  },
  {
    what: "another function's process cannot be signalled, should it be seen",
    language: 'node',
    script: ({ neighbour }) =>
      `try { process.kill(${neighbour.pid}, 0); console.log('OUT'); } catch (error) { console.log(error.code); }`,
    withoutGuard: ({ neighbour }) => `${NO_PID_NAMESPACE}
      for (const ids of [config.linux.uidMappings, config.linux.gidMappings]) ids[0].hostID = ${neighbour.hostId};`,
  },
  {
    what: "the host's listeners are not reached on its loopback address",
    language: 'python',
    script: ({ hostPort }) => `
import socket
try:
    socket.create_connection(("127.0.0.1", ${hostPort}), 2)
    print("OUT")
except OSError as error:
    print(error)`,
    withoutGuard: () =>
      `config.linux.namespaces = config.linux.namespaces.filter((space) => space.type !== 'network');`,
  },
  {
    what: 'nothing can be mounted',
    language: 'shell',
    script: () => 'mount -t tmpfs none /tmp 2>/dev/null && echo OUT',
    withoutGuard: () => `${NO_SECCOMP} config.process.user = { uid: 0, gid: 0 };
      for (const set of ['bounding', 'effective', 'permitted']) config.process.capabilities[set] = ['CAP_SYS_ADMIN'];`,
  },
  {
    what: "the host's devices are not there",
    language: 'shell',
    script: () =>
      'for at in /dev /mnt; do head -c 1 $at/loop-control 2>/dev/null; [ -e $at/loop-control ] && echo OUT; done',
    withoutGuard: () =>
      `config.mounts.push({ destination: '/mnt', type: 'bind', source: '/dev', options: ['rbind', 'ro'] });`,
  },
  {
    what: 'the root cannot be changed, not even by its root user',
    language: 'shell',
    script: () =>
      'touch /usr/tidemill-escape-never 2>/dev/null; if [ -w /etc ] || touch /etc/x 2>/dev/null; then echo OUT; else echo held; fi',
    withoutGuard: ({ sharedFolder }) =>
      `config.mounts.push({ destination: '/etc', type: 'bind', source: ${JSON.stringify(sharedFolder)}, options: ['rbind'] });`,
  },
  {
    what: 'files of another tenant are not found in /tmp',
    language: 'node',
    script: () => `
      const fs = require('node:fs');
      if (fs.existsSync('/tmp/left')) console.log('OUT');
      fs.writeFileSync('/tmp/left', 'mine', { mode: 0o666 });`,
    withoutGuard: ({ sharedFolder }) =>
      `config.mounts.find((mount) => mount.destination === '/tmp').source = ${JSON.stringify(sharedFolder)};`,
  },
  {
    what: 'no core file is written',
    language: 'python',
    script: () => `
import resource
print("OUT" if resource.getrlimit(resource.RLIMIT_CORE)[1] != 0 else "held")`,
    withoutGuard: () =>
      `config.process.rlimits = config.process.rlimits.filter((limit) => limit.type !== 'RLIMIT_CORE').concat({ type: 'RLIMIT_CORE', soft: 1, hard: 1 });`,
  },
  {
    what: 'kernel secrets in /proc are masked',
    language: 'shell',
    script: () => '[ "$(cat /proc/modules /proc/kallsyms /proc/keys 2>/dev/null | wc -c)" -gt 0 ] && echo OUT',
    withoutGuard: () => 'config.linux.maskedPaths = [];',
  },
  hostSetting('/proc/sys/kernel/core_pattern'),
  hostSetting('/proc/sys/vm/overcommit_memory'),
  hostSetting('/proc/sys/kernel/pid_max'),
  call('io_uring_setup', 425, '0, 0'),
  call('keyctl', 250, '0, -3, 1, 0, 0'),
  call('add_key', 248, '0, 0, 0, 0, 0'),
  call('userfaultfd', 323, '1'),
  call('ptrace', 101, '0, 0, 0, 0'),
  call('process_vm_readv', 310, '1, 0, 0, 0, 0, 0'),
  call('unshare of a user namespace', 272, '0x10000000'),
  call('clone with a new user namespace', 56, '0x10000011, 0, 0, 0, 0'),
  call('a vsock socket', 41, '40, 1, 0'),
  call('switching address randomisation off', 135, '0x40000'),
];
