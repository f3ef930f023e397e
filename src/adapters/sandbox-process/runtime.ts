import { spawn } from 'node:child_process';
import {
  closeSync,
  constants as fileConstants,
  existsSync,
  mkdirSync,
  openSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs';
import { constants as osConstants } from 'node:os';
import { basename, join } from 'node:path';
import type { Clock } from '../../core/base/clock.ts';
import type { Logger } from '../../core/base/log.ts';
import type { SandboxHandle, SandboxRuntime, SandboxSpec } from '../../core/ports/sandbox.ts';
import { endSessions } from './exec-process.ts';
import { realArgument, realPath, type Shown } from './paths.ts';
import { killWriters, startTimeOf } from './process-table.ts';
import { ProcessRecords, type ProcessRecord } from './record.ts';
import { ProcessSandbox, type ProcessParts, type RunningRecord } from './sandbox.ts';
import { listenUnix, mkfifo } from './unix.ts';

export interface ProcessRuntimeOptions {
  /** Short (Unix socket paths) and ours alone. */
  readonly runDir: string;
  readonly logger: Logger;
  readonly clock: Clock;
}

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const BLOCKS_PER_MB = 2_048;
const ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

/**
 * The tier for hosts that cannot confine: every function is a plain process with the rights of the platform. It can read
 * and write the platform's own data, reach its ports and every other function, and use all memory, CPU and processes of
 * the machine; `internetAccess` and `dns` mean nothing. What holds: its environment, a process group of its own, no core
 * dumps, no single file larger than its disk size.
 *
 * Code, layers and boot folders cannot be mounted: arguments and working directory that lie below a boot target or a
 * mount known at creation are rewritten to the real folder; for those shown by `specialise` ask `handle.pathOf`. Two
 * sandboxes that listen on the same TCP port collide, because they share the host's network.
 */
export function createProcessRuntime(options: ProcessRuntimeOptions): ProcessRuntime {
  options.logger.log(
    'warn',
    'ISOLATION IS OFF: functions run as plain processes with the rights of this platform. They can read its data and ' +
      'credentials, reach every port, and use the whole machine. Run only code that you would run yourself.',
  );
  return new ProcessRuntime(options);
}

export class ProcessRuntime implements SandboxRuntime {
  readonly tier = 'process';
  private readonly runDir: string;
  private readonly parts: ProcessParts;
  private readonly live = new Map<string, ProcessSandbox>();

  constructor(options: ProcessRuntimeOptions) {
    this.runDir = options.runDir;
    this.parts = {
      records: new ProcessRecords(options.runDir),
      clock: options.clock,
      onGone: (id) => this.live.delete(id),
    };
  }

  async create(spec: SandboxSpec): Promise<SandboxHandle> {
    if (!ID.test(spec.id)) throw new Error(`"${spec.id}" cannot name a sandbox`);
    const shown: readonly Shown[] = [...spec.boot, ...spec.mounts];
    for (const { source } of shown) statSync(source);
    const { records } = this.parts;
    const record: ProcessRecord = { id: spec.id, listen: spec.listen, specialised: spec.mounts.length > 0, shown };
    records.create(record);
    const folder = records.folderOf(spec.id);
    const descriptors: number[] = [];
    try {
      mkfifo(join(folder, 'out'));
      // The process holds both ends: its output survives our death, and never breaks for want of a reader.
      const output = openSync(join(folder, 'out'), fileConstants.O_RDWR);
      descriptors.push(output);
      const listener = spec.listen === 'frames' ? listenUnix(join(folder, 's')) : undefined;
      if (listener !== undefined) descriptors.push(listener);
      const sandbox = await this.start(spec, record, output, listener);
      this.live.set(spec.id, sandbox);
      return sandbox;
    } catch (error) {
      this.removeRemains(spec.id);
      throw error;
    } finally {
      for (const descriptor of descriptors) closeSync(descriptor);
    }
  }

  private start(
    spec: SandboxSpec,
    record: ProcessRecord,
    output: number,
    listener: number | undefined,
  ): Promise<ProcessSandbox> {
    const folder = this.parts.records.folderOf(spec.id);
    const home = join(folder, 'tmp');
    mkdirSync(home);
    const env = { PATH: DEFAULT_PATH, HOME: home, ...spec.process.env };
    const args = limited(
      spec.process.args.map((argument) => realArgument(argument, record.shown)),
      env,
      spec.diskMb,
    );
    const child = spawn(args[0] ?? '', args.slice(1), {
      cwd: realPath(spec.process.cwd, record.shown),
      env,
      detached: true,
      stdio: ['ignore', output, output, ...(listener === undefined ? [] : [listener])],
    });
    child.unref();
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('spawn', () => {
        const pid = child.pid ?? 0;
        const running: RunningRecord = { ...record, pid, startTime: startTimeOf(pid) ?? '' };
        this.parts.records.write(running);
        const sandbox = new ProcessSandbox(this.parts, running, true);
        child.once('exit', (code, signal) =>
          sandbox.childExited(code, signal === null ? 0 : osConstants.signals[signal]),
        );
        resolve(sandbox);
      });
    });
  }

  adopt(): Promise<readonly SandboxHandle[]> {
    for (const id of this.parts.records.ids()) {
      if (this.live.has(id)) continue;
      const record = this.parts.records.read(id);
      endSessions(id);
      if (record !== undefined && isRunning(record)) this.live.set(id, new ProcessSandbox(this.parts, record, false));
      else this.removeRemains(id);
    }
    return Promise.resolve([...this.live.values()]);
  }

  private removeRemains(id: string): void {
    killWriters(realpathSync(this.parts.records.folderOf(id)) + '/out');
    this.parts.records.remove(id);
  }

  close(_options: { keepNetwork: boolean }): Promise<void> {
    for (const sandbox of this.live.values()) sandbox.release();
    if (this.live.size === 0) rmSync(join(this.runDir, 'i'), { recursive: true, force: true });
    return Promise.resolve();
  }
}

function isRunning(record: ProcessRecord): record is RunningRecord {
  return record.pid !== undefined && record.startTime !== undefined && startTimeOf(record.pid) === record.startTime;
}

/**
 * Starts through a shell that sets what limits a plain process can have, where that shell leaves no trace in the
 * environment (dash, busybox); otherwise without limits.
 */
function limited(args: readonly string[], env: Readonly<Record<string, string>>, diskMb: number): readonly string[] {
  if (!existsSync('/bin/sh') || !['dash', 'busybox'].includes(basename(realpathSync('/bin/sh')))) return args;
  const limits = `ulimit -c 0; ulimit -f ${diskMb * BLOCKS_PER_MB}`;
  const own = env['PWD'];
  if (own === undefined) return ['/bin/sh', '-c', `${limits}; unset PWD; exec "$@"`, 'limits', ...args];
  return ['/bin/sh', '-c', `${limits}; export PWD="$1"; shift; exec "$@"`, 'limits', own, ...args];
}
