import type { OciResources } from './cgroups.ts';
import { INSTANCE_LINK, listening } from './gvisor-link.ts';
import { INSIDE_ID, INSTANCE_ETC } from './root-skeleton.ts';
import type { SeccompProfile } from './seccomp-profile.ts';

/** Ids of one user namespace; also the size of the range a sandbox owns on the host. */
export const ID_RANGE = 65_536;

export interface BundleInput {
  readonly rootPath: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly hostname: string;
  /** First host id of the sandbox's range. */
  readonly hostId: number;
  /** Network namespace file; undefined: a new empty one. */
  readonly network: string | undefined;
  readonly cgroupsPath: string;
  readonly resources: OciResources;
  readonly seccomp: SeccompProfile;
  /** Largest number of open files the host lets us give. */
  readonly openFiles: number;
  /** Folder with resolv.conf and hosts. */
  readonly etcPath: string;
  readonly tmpPath: string;
  /** Folders whose mounts show up at /code and /opt, now or later. */
  readonly codePath: string;
  readonly optPath: string;
  readonly boot: readonly { readonly source: string; readonly target: string }[];
  /** Run the process under a small init that collects zombies and gives signals their usual meaning. */
  readonly init: boolean;
  /**
   * For runsc: /code, /opt and INSTANCE_ETC are mounted below the root already, the folder is shown at INSTANCE_LINK, and
   * with `listen` the process gets a socket made there.
   */
  readonly gvisor?: { readonly link: string; readonly listen: boolean } | undefined;
}

interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

const SHARED_MEMORY_BYTES = 64 * 1024 * 1024;
/** Under pressure on the whole machine functions go first, the platform last. */
const OOM_SCORE = 500;

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The shell starts the process as its child, collects whatever else is orphaned, and ends with the process's code. It
 * exports PWD by itself, which is taken back (or set as asked for): the environment stays exactly the given one.
 */
function underInit(args: readonly string[], env: Readonly<Record<string, string>>, last: string): string[] {
  const own = env['PWD'];
  if (own === undefined) return ['/bin/sh', '-c', `unset PWD; "$@"; ${last}`, 'init', ...args];
  return ['/bin/sh', '-c', `pwd=$1; shift; PWD=$pwd "$@"; ${last}`, 'init', own, ...args];
}

/** Command and what comes before it. runsc keeps the exit code to itself: there the init leaves it in the link. */
function command(input: BundleInput, env: Readonly<Record<string, string>>): readonly string[] {
  if (input.gvisor === undefined) return input.init ? underInit(input.args, env, 'exit $?') : input.args;
  const under = underInit(input.args, env, `code=$?; echo $code > ${INSTANCE_LINK}/code; exit $code`);
  return input.gvisor.listen ? listening(under) : under;
}

function bind(source: string, destination: string, ...options: string[]): OciMount {
  return { destination, type: 'bind', source, options: ['rbind', 'nosuid', 'nodev', ...options] };
}

function mounts(input: BundleInput): OciMount[] {
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'noexec', 'strictatime', 'mode=755', 'size=64k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'],
    },
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${SHARED_MEMORY_BYTES}`],
    },
    // Everything of the host is private here: a mount made there later does not appear. Only /code and /opt follow it.
    bind('/usr', '/usr', input.gvisor === undefined ? 'rro' : 'ro', 'rprivate'),
    bind(input.tmpPath, '/tmp', 'rprivate'),
    ...input.boot.map((mount) => bind(mount.source, mount.target, 'ro', 'rprivate')),
    ...(input.gvisor === undefined
      ? [
          bind(input.etcPath, INSTANCE_ETC, 'ro', 'rprivate'),
          bind(input.codePath, '/code', 'ro', 'rslave'),
          bind(input.optPath, '/opt', 'ro', 'rslave'),
        ]
      : [bind(input.gvisor.link, INSTANCE_LINK, 'rprivate')]),
  ];
}

/** The `config.json` of an OCI bundle for one sandbox. Pure. */
export function ociConfig(input: BundleInput): object {
  const env = { PATH: DEFAULT_PATH, HOME: '/tmp', ...input.env };
  const ids = [{ containerID: 0, hostID: input.hostId, size: ID_RANGE }];
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: INSIDE_ID, gid: INSIDE_ID },
      args: command(input, env),
      env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      cwd: input.cwd,
      capabilities: { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] },
      noNewPrivileges: true,
      oomScoreAdj: OOM_SCORE,
      rlimits: [
        { type: 'RLIMIT_NOFILE', soft: input.openFiles, hard: input.openFiles },
        { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
      ],
    },
    root: { path: input.rootPath, readonly: true },
    hostname: input.hostname,
    mounts: mounts(input),
    linux: {
      namespaces: [
        { type: 'pid' },
        { type: 'mount' },
        { type: 'ipc' },
        { type: 'uts' },
        { type: 'user' },
        input.network === undefined ? { type: 'network' } : { type: 'network', path: input.network },
      ],
      uidMappings: ids,
      gidMappings: ids,
      cgroupsPath: input.cgroupsPath,
      resources: input.resources,
      // Slave, not private: /code and /opt receive what the host mounts there for this sandbox.
      rootfsPropagation: 'rslave',
      seccomp: input.seccomp,
      maskedPaths: [
        ...['/proc/acpi', '/proc/asound', '/proc/interrupts', '/proc/kcore', '/proc/keys', '/proc/latency_stats'],
        ...['/proc/timer_list', '/proc/timer_stats', '/proc/sched_debug', '/proc/scsi', '/proc/kallsyms'],
        ...['/proc/kpagecount', '/proc/kpageflags', '/proc/kpagecgroup', '/proc/modules', '/proc/cmdline'],
        ...['/proc/swaps', '/proc/partitions', '/proc/diskstats', '/proc/config.gz', '/proc/fs'],
      ],
      readonlyPaths: ['/proc/bus', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  };
}
