import { accessSync, chmodSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createOciRuntime, type OciRuntime } from '../../src/adapters/sandbox-oci/runtime.ts';
import { silentLogger } from '../../src/core/base/log.ts';
import type { SandboxHandle, SandboxSpec } from '../../src/core/ports/sandbox.ts';
import { waitingClock } from '../../test/adapters/waiting-clock.ts';
import type { Attempt, Scene } from './attempts.ts';

const ID_BASE = 1_200_000_000;

/**
 * Stands where the OCI runtime's command is looked for: carries out the edit of the moment on the bundle, then becomes the
 * command. So guards are taken away outside of the product, which has no switch for it.
 */
function standIn(folder: string, real: string): void {
  const script = `#!${process.execPath}
const fs = require('node:fs');
const at = process.argv.indexOf('--bundle');
const edit = fs.readFileSync(${JSON.stringify(join(folder, 'edit'))}, 'utf8');
if (at > 0 && edit !== '') {
  const file = process.argv[at + 1] + '/config.json';
  const config = JSON.parse(fs.readFileSync(file, 'utf8'));
  new Function('config', edit)(config);
  fs.writeFileSync(file, JSON.stringify(config));
}
const child = require('node:child_process').spawnSync(${JSON.stringify(real)}, process.argv.slice(2), { stdio: [0, 1, 2, 3] });
process.exit(child.status ?? 1);
`;
  writeFileSync(join(folder, 'edit'), '');
  writeFileSync(join(folder, 'runc'), script, { mode: 0o755 });
}

function realRunc(): string {
  for (const file of ['/usr/sbin/runc', '/usr/bin/runc', '/usr/local/bin/runc']) {
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Looked for in the next folder.
    }
  }
  throw new Error('runc is not installed');
}

/** An installation with a neighbour, a secret and a listener beside it. */
export class Stage {
  readonly scene: Scene;
  readonly runtime: OciRuntime;
  private readonly folder: string;
  private readonly neighbour: SandboxHandle;
  private readonly listener: Server;
  private count = 0;

  private constructor(
    parts: Pick<Stage, 'scene' | 'runtime'> & { folder: string; neighbour: SandboxHandle; listener: Server },
  ) {
    this.scene = parts.scene;
    this.runtime = parts.runtime;
    this.folder = parts.folder;
    this.neighbour = parts.neighbour;
    this.listener = parts.listener;
  }

  static async open(tier: 'container' | 'gvisor'): Promise<Stage> {
    const folder = mkdtempSync(join(tmpdir(), 'tm-escape-'));
    chmodSync(folder, 0o755);
    const secret = join(folder, 'secret');
    writeFileSync(secret, 'secret', { mode: 0o644 });
    const sharedFolder = mkdtempSync(join(folder, 'shared-'));
    chmodSync(sharedFolder, 0o1777);
    if (tier === 'container') standIn(folder, realRunc());
    const runtime = await createOciRuntime({
      runDir: join(folder, 'r'),
      installationId: folder,
      idBase: ID_BASE,
      platformPorts: [],
      logger: silentLogger,
      clock: waitingClock,
      networkPool: 0,
      ...(tier === 'container' ? { oci: 'runc' as const, commandFolders: [folder] } : { oci: 'runsc' as const }),
    });
    const listener = createServer((socket) => socket.end());
    await new Promise<void>((resolve) => void listener.listen(0, '127.0.0.1', resolve));
    const marker = `m${process.pid}`;
    const neighbour = await runtime.create(
      spec('neighbour', ['/bin/sh', '-c', 'while :; do sleep 60; done', `inside-${marker}`]),
    );
    const map = readFileSync(`/proc/${neighbour.pid}/uid_map`, 'utf8').trim().split(/\s+/);
    const address = listener.address();
    const hostPort = typeof address === 'object' && address !== null ? address.port : 0;
    const scene = { secret, marker, hostPort, sharedFolder, neighbour: { pid: neighbour.pid, hostId: Number(map[1]) } };
    return new Stage({ scene, runtime, folder, neighbour, listener });
  }

  /** True when the attempt got out. `edit`: what is done to the bundle before. `changes`: what it is given otherwise. */
  async getsOut(
    attempt: Pick<Attempt, 'language' | 'script'>,
    edit = '',
    changes: Partial<SandboxSpec> = {},
  ): Promise<boolean> {
    if (edit !== '') writeFileSync(join(this.folder, 'edit'), edit);
    try {
      const handle = await this.runtime.create({
        ...spec(`a-${++this.count}`, commandOf(attempt, this.scene)),
        ...changes,
      });
      try {
        let text = '';
        handle.onOutput((chunk) => {
          text += Buffer.from(chunk).toString();
        });
        await handle.exited;
        return text.includes('OUT');
      } finally {
        await handle.destroy();
      }
    } finally {
      if (edit !== '') writeFileSync(join(this.folder, 'edit'), '');
    }
  }

  async close(): Promise<void> {
    this.listener.close();
    await this.neighbour.destroy();
    await this.runtime.close({ keepNetwork: false });
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function commandOf(attempt: Pick<Attempt, 'language' | 'script'>, scene: Scene): string[] {
  const script = attempt.script(scene);
  if (attempt.language === 'node') return ['/runtime/bin/node', '-e', script];
  return attempt.language === 'python' ? ['/usr/bin/python3', '-c', script] : ['/bin/sh', '-c', script];
}

function spec(id: string, args: readonly string[]): SandboxSpec {
  return {
    id: `${id}-${process.pid}`,
    process: { args, env: {}, cwd: '/' },
    boot: [{ source: dirname(process.execPath), target: '/runtime/bin' }],
    limits: { memoryMb: 256, cpu: 1, pids: 64 },
    diskMb: 32,
    listen: 'http',
    internetAccess: false,
    mounts: [],
  };
}

/** Arguments of a process of the host; empty when there is none. */
export function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
