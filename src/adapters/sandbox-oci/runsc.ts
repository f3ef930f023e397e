import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runCommand } from './command.ts';

/** What of the host's settings runsc reads before it starts; everything else of /proc/sys is out of its sight. */
const SETTINGS = ['vm/mmap_min_addr', 'vm/overcommit_memory', 'kernel/cap_last_cap'];

/** Threads of the kernel inside and of its file server, whatever the function does. */
const OWN_THREADS = 96;
/** One of the function's threads is one that runs its code and one or two that serve its calls. */
const THREADS_EACH = 3;

/** The host's limit of threads for a limit of processes inside: gVisor does not count processes itself. Pure. */
export function sentryThreads(pids: number): number {
  return OWN_THREADS + THREADS_EACH * pids;
}

/** How runsc is called on this host. */
export interface RunscCall {
  /** Words in front of the command's own. */
  readonly prefix: readonly string[];
  /** Flags in front of its subcommand. */
  readonly flags: readonly string[];
}

/**
 * Its platform is always named, and never KVM: that one can hang where a machine is itself a guest. Older builds do not have
 * systrap and do with ptrace; what they do not know of the other flags they do not need. Pure.
 */
export function runscFlags(known: string, network: 'sandbox' | 'none'): readonly string[] {
  const flags = ['--platform', /\bsystrap\b/.test(known) ? 'systrap' : 'ptrace', '--network', network];
  // The sandbox may make the one socket that it listens on, and open none of the host's.
  flags.push('--host-uds', 'create');
  // /code and /opt below the root appear there later: what is remembered of the root is asked for again.
  flags.push('--file-access', 'shared');
  if (/-overlay2\b/.test(known)) flags.push('--overlay2', 'none');
  if (/-directfs\b/.test(known)) flags.push('--directfs=false');
  return flags;
}

/**
 * runsc is started with its own view of /proc/sys: builds before 2024 take a file there that newer kernels show in every
 * network namespace for the sign that they are in the host's, and refuse. A second, complete /proc beside it lets it mount
 * the /proc of its own processes. What is mounted for a sandbox on the host still reaches it (slave).
 */
export async function runscCall(
  file: string,
  runDir: string,
  options: { readonly network: 'sandbox' | 'none'; readonly timeoutMs: number },
): Promise<RunscCall> {
  const settings = join(runDir, 'g', 'sys');
  const proc = join(runDir, 'g', 'proc');
  mkdirSync(proc, { recursive: true, mode: 0o711 });
  for (const name of SETTINGS) {
    mkdirSync(dirname(join(settings, name)), { recursive: true });
    // Not copied as a file: those of /proc claim to have no bytes.
    writeFileSync(join(settings, name), readFileSync(join('/proc/sys', name)));
  }
  const script = 'mount -t proc proc "$1" && mount --bind "$2" /proc/sys && shift 2 && exec "$@"';
  const known = await runCommand(file, ['flags'], { timeoutMs: options.timeoutMs });
  return {
    prefix: ['unshare', '--mount', '--propagation', 'slave', 'sh', '-c', script, 'sh', proc, settings],
    flags: runscFlags(known.output, options.network),
  };
}
