/**
 * Which system calls a function may make. Everything that is not listed answers EPERM. The list follows the containers'
 * customary default and was then reviewed for what a function without any capability can use at all: calls that would
 * only ever fail there (mount, module, clock, quota, bpf, ...) are left out so that bugs in them cannot be reached.
 * Also left out on purpose: io_uring (a way around this filter, with a record of holes), ptrace and process_vm_* (a
 * function has no business in another process's memory), keyrings (not part of any namespace), userfaultfd and
 * perf_event_open (exploit helpers), unshare and setns (new user namespaces open kernel code to the unprivileged).
 */
const FILES = [
  ...['access', 'faccessat', 'faccessat2', 'chdir', 'fchdir', 'chmod', 'fchmod', 'fchmodat', 'fchmodat2', 'chown'],
  ...['fchown', 'fchownat', 'lchown', 'close', 'close_range', 'copy_file_range', 'creat', 'dup', 'dup2', 'dup3'],
  ...['fadvise64', 'fallocate', 'fcntl', 'fdatasync', 'flock', 'fsync', 'ftruncate', 'truncate', 'getcwd', 'getdents'],
  ...['getdents64', 'getxattr', 'fgetxattr', 'lgetxattr', 'setxattr', 'fsetxattr', 'lsetxattr', 'listxattr'],
  ...['flistxattr', 'llistxattr', 'removexattr', 'fremovexattr', 'lremovexattr', 'inotify_add_watch', 'inotify_init'],
  ...['inotify_init1', 'inotify_rm_watch', 'ioctl', 'link', 'linkat', 'lseek', 'mkdir', 'mkdirat', 'mknod', 'mknodat'],
  ...['newfstatat', 'stat', 'fstat', 'lstat', 'statx', 'statfs', 'fstatfs', 'open', 'openat', 'openat2', 'pread64'],
  ...['preadv', 'preadv2', 'pwrite64', 'pwritev', 'pwritev2', 'read', 'readv', 'write', 'writev', 'readahead'],
  ...['readlink', 'readlinkat', 'rename', 'renameat', 'renameat2', 'rmdir', 'sendfile', 'splice', 'tee', 'vmsplice'],
  ...['symlink', 'symlinkat', 'sync', 'sync_file_range', 'syncfs', 'umask', 'unlink', 'unlinkat', 'utime', 'utimes'],
  ...['utimensat', 'futimesat', 'memfd_create', 'name_to_handle_at', 'chroot', 'io_setup', 'io_submit', 'io_destroy'],
  ...['io_cancel', 'io_getevents', 'io_pgetevents', 'cachestat'],
];

const MEMORY = [
  ...['brk', 'madvise', 'process_madvise', 'mbind', 'membarrier', 'mincore', 'mlock', 'mlock2', 'mlockall', 'mmap'],
  ...['mprotect', 'mremap', 'mseal', 'msync', 'munlock', 'munlockall', 'munmap', 'pkey_alloc', 'pkey_free'],
  ...['pkey_mprotect', 'remap_file_pages', 'get_mempolicy', 'set_mempolicy', 'map_shadow_stack', 'process_mrelease'],
  ...['shmat', 'shmctl', 'shmdt', 'shmget', 'semctl', 'semget', 'semop', 'semtimedop', 'msgctl', 'msgget', 'msgrcv'],
  ...['msgsnd', 'mq_getsetattr', 'mq_notify', 'mq_open', 'mq_timedreceive', 'mq_timedsend', 'mq_unlink'],
];

const PROCESSES = [
  ...['capget', 'capset', 'execve', 'execveat', 'exit', 'exit_group', 'fork', 'vfork', 'futex', 'futex_requeue'],
  ...['futex_wait', 'futex_waitv', 'futex_wake', 'get_robust_list', 'set_robust_list', 'getcpu', 'getegid', 'geteuid'],
  ...['getgid', 'getgroups', 'getitimer', 'setitimer', 'getpgid', 'getpgrp', 'getpid', 'getppid', 'getpriority'],
  ...['getresgid', 'getresuid', 'getrlimit', 'getrusage', 'getsid', 'gettid', 'getuid', 'ioprio_get', 'ioprio_set'],
  ...['kill', 'tkill', 'tgkill', 'landlock_add_rule', 'landlock_create_ruleset', 'landlock_restrict_self', 'pause'],
  ...['pidfd_open', 'pidfd_send_signal', 'prctl', 'prlimit64', 'restart_syscall', 'rseq', 'rt_sigaction'],
  ...['rt_sigpending', 'rt_sigprocmask', 'rt_sigqueueinfo', 'rt_sigreturn', 'rt_sigsuspend', 'rt_sigtimedwait'],
  ...['rt_tgsigqueueinfo', 'sched_get_priority_max', 'sched_get_priority_min', 'sched_getaffinity', 'sched_getattr'],
  ...['sched_getparam', 'sched_getscheduler', 'sched_rr_get_interval', 'sched_setaffinity', 'sched_setattr'],
  ...['sched_setparam', 'sched_setscheduler', 'sched_yield', 'seccomp', 'set_tid_address', 'setfsgid', 'setfsuid'],
  ...['setgid', 'setgroups', 'setpgid', 'setpriority', 'setregid', 'setresgid', 'setresuid', 'setreuid', 'setrlimit'],
  ...['setsid', 'setuid', 'sigaltstack', 'signalfd', 'signalfd4', 'sysinfo', 'times', 'uname', 'wait4', 'waitid'],
  ...['getrandom'],
];

const TIME = [
  ...['alarm', 'clock_getres', 'clock_gettime', 'clock_nanosleep', 'gettimeofday', 'nanosleep', 'time'],
  ...['timer_create', 'timer_delete', 'timer_getoverrun', 'timer_gettime', 'timer_settime', 'timerfd_create'],
  ...['timerfd_gettime', 'timerfd_settime'],
];

const COMMUNICATION = [
  ...['accept', 'accept4', 'bind', 'connect', 'epoll_create', 'epoll_create1', 'epoll_ctl', 'epoll_ctl_old'],
  ...['epoll_pwait', 'epoll_pwait2', 'epoll_wait', 'epoll_wait_old', 'eventfd', 'eventfd2', 'getpeername'],
  ...['getsockname', 'getsockopt', 'listen', 'pipe', 'pipe2', 'poll', 'ppoll', 'pselect6', 'recvfrom', 'recvmmsg'],
  ...['recvmsg', 'select', 'sendmmsg', 'sendmsg', 'sendto', 'setsockopt', 'shutdown', 'socketpair'],
];

const PER_ARCHITECTURE = {
  x64: { oci: 'SCMP_ARCH_X86_64', extra: ['arch_prctl'] },
  arm64: { oci: 'SCMP_ARCH_AARCH64', extra: [] },
} as const;

/** CLONE_NEW* of clone(2): mount, cgroup, uts, ipc, user, pid, net namespaces. */
const NAMESPACE_FLAGS = 0x7e020000;
/** Linux, UNAME26, and asking without changing: what personality(2) may be called with (ASLR may not be switched off). */
const PERSONALITIES = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];
/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK (interface lists): no vsock, packet, crypto or exotic protocols. */
const SOCKET_FAMILIES = [1, 2, 10, 16];

const EPERM = 1;
const ENOSYS = 38;

interface ArgumentRule {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: 'SCMP_CMP_EQ' | 'SCMP_CMP_MASKED_EQ';
}

export interface SeccompProfile {
  readonly defaultAction: 'SCMP_ACT_ERRNO';
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly {
    readonly names: readonly string[];
    readonly action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO';
    readonly errnoRet?: number;
    readonly args?: readonly ArgumentRule[];
  }[];
}

function allowWhen(name: string, index: number, values: readonly number[]): SeccompProfile['syscalls'] {
  return values.map((value) => ({
    names: [name],
    action: 'SCMP_ACT_ALLOW' as const,
    args: [{ index, value, op: 'SCMP_CMP_EQ' as const }],
  }));
}

/** The filter for this machine's processor; undefined when there is no reviewed list for it (then no sandbox). */
export function seccompProfile(arch: string): SeccompProfile | undefined {
  if (arch !== 'x64' && arch !== 'arm64') return undefined;
  const own = PER_ARCHITECTURE[arch];
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: EPERM,
    architectures: [own.oci],
    syscalls: [
      {
        names: [...FILES, ...MEMORY, ...PROCESSES, ...TIME, ...COMMUNICATION, ...own.extra],
        action: 'SCMP_ACT_ALLOW',
      },
      ...allowWhen('personality', 0, PERSONALITIES),
      ...allowWhen('socket', 0, SOCKET_FAMILIES),
      {
        names: ['clone'],
        action: 'SCMP_ACT_ALLOW',
        args: [{ index: 0, value: NAMESPACE_FLAGS, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
      },
      // clone3 hides its flags behind a pointer: ENOSYS makes C libraries fall back on clone.
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
    ],
  };
}
