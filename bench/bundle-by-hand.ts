import { spawn } from 'node:child_process';
import {
  accessSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import koffi from 'koffi';
import { encodeFrame, encodeJsonFrame, FrameDecoder } from '../src/core/protocol/frame-codec.ts';
import { FRAME } from '../src/core/protocol/runtime-frames.ts';

/** What a sandbox of ours runs: its folder below the run folder, with the bundle's config.json. */
export interface RunningBundle {
  readonly folder: string;
  readonly config: OciConfig;
}

interface OciConfig {
  readonly linux: { readonly cgroupsPath: string };
  readonly process: { readonly args: readonly string[] };
}

const RUN_FOLDER = '/run/tidemill';

/** Ids of the sandboxes that stand, of whatever installation. */
export function standingBundles(): ReadonlySet<string> {
  const found = new Set<string>();
  for (const tag of readdirSync(RUN_FOLDER)) {
    const instances = join(RUN_FOLDER, tag, 'i');
    try {
      for (const id of readdirSync(instances)) found.add(join(instances, id));
    } catch {
      // Not an installation's folder.
    }
  }
  return found;
}

/** The bundle in this folder; undefined while it is being made or removed. */
export function readBundle(folder: string): RunningBundle | undefined {
  try {
    return { folder, config: JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as OciConfig };
  } catch {
    return undefined;
  }
}

/**
 * Milliseconds in which somebody with a shell would have the same answer: writes the same bundle (only the control group is
 * another), runs the same command with a listening socket, then loads and calls the function over it. The sandbox that the
 * bundle was taken from must stand: its network, `/tmp` and code are used. Leaves nothing.
 */
export async function startByHand(bundle: RunningBundle, env: Readonly<Record<string, string>>): Promise<number> {
  const id = `by-hand-${process.pid}`;
  const folder = join(RUN_FOLDER, id);
  const state = join(folder, 'state');
  const command = ociCommand();
  const begin = performance.now();
  mkdirSync(state, { recursive: true, mode: 0o711 });
  const cgroupsPath = `/${id}`;
  const config = { ...bundle.config, linux: { ...bundle.config.linux, cgroupsPath } };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const listener = listenUnix(join(folder, 's'));
  const nothing = openSync('/dev/null', 'r+');
  try {
    const args = ['--root', state, 'run', '--detach', '--bundle', folder, '--preserve-fds', '1', id];
    await ended(spawn(command, args, { stdio: [nothing, nothing, nothing, listener], env: {} }));
    await firstAnswer(join(folder, 's'), env);
    return performance.now() - begin;
  } finally {
    closeSync(listener);
    closeSync(nothing);
    await ended(spawn(command, ['--root', state, 'delete', '--force', id], { stdio: 'ignore', env: {} })).catch(
      () => 0,
    );
    rmSync(folder, { recursive: true, force: true });
    for (const hierarchy of readdirSync('/sys/fs/cgroup')) removeGroup(join('/sys/fs/cgroup', hierarchy, id));
  }
}

function removeGroup(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // The command has removed it, or there is no such hierarchy.
  }
}

function ended(child: ReturnType<typeof spawn>): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${child.spawnfile} ended with ${code}`))));
  });
}

/** Attaches, loads the function and calls it once. */
async function firstAnswer(path: string, env: Readonly<Record<string, string>>): Promise<void> {
  const socket = connect(path);
  try {
    const waiting = new Map<number, () => void>();
    const decoder = new FrameDecoder((type) => waiting.get(type)?.());
    socket.on('data', (chunk: Buffer) => decoder.push(chunk));
    const until = (type: number) =>
      new Promise<void>((resolve, reject) => {
        waiting.set(type, resolve);
        socket.once('error', reject);
        socket.once('close', () => reject(new Error('the runtime hung up')));
      });
    await ask(socket, encodeJsonFrame(FRAME.attach, 0, { role: 'server', epoch: 1 }), until(FRAME.hello));
    await ask(socket, encodeJsonFrame(FRAME.load, 1, loadOf(env)), until(FRAME.loaded));
    const header = Buffer.from(JSON.stringify({ r: 'by-hand', e: 1, q: 'LATEST', n: 0, d: 0 }));
    const length = Buffer.alloc(2);
    length.writeUInt16LE(header.length);
    const call = encodeFrame(FRAME.invoke, 2, Buffer.concat([length, header, Buffer.from('x')]));
    await ask(socket, call, until(FRAME.result));
  } finally {
    socket.destroy();
  }
}

async function ask(socket: Socket, frame: Uint8Array, answer: Promise<void>): Promise<void> {
  socket.write(frame);
  await answer;
}

function loadOf(env: Readonly<Record<string, string>>): object {
  return {
    ...{ runtime: 'nodejs24', concurrency: 1, handler: 'index.handler', codePath: '/code', env, region: 'local' },
    function: { name: 'by-hand', handler: 'index.handler', memory: 128, timeout: 30 },
    service: { logProject: '', logStore: '', versionId: 'LATEST' },
    ...{ accountId: '0', initializer: '', preStop: '', requestId: 'by-hand' },
  };
}

/** The command that the platform takes on this host: crun where it can, else runc (see src/adapters/sandbox-oci). */
function ociCommand(): string {
  for (const path of ['/usr/sbin/runc', '/usr/bin/runc', '/usr/bin/crun']) {
    try {
      accessSync(path);
      return path;
    } catch {
      // The next one.
    }
  }
  throw new Error('there is no OCI runtime on this host');
}

/** A listening Unix socket that this process does not accept from. */
function listenUnix(path: string): number {
  const libc = koffi.load(null);
  const socket = libc.func('socket', 'int', ['int', 'int', 'int']);
  const bind = libc.func('bind', 'int', ['int', 'void *', 'uint']);
  const listen = libc.func('listen', 'int', ['int', 'int']);
  const descriptor = Number(socket(1, 1 | 0o2000000, 0));
  const address = Buffer.alloc(110);
  address.writeUInt16LE(1, 0);
  address.write(path, 2);
  if (bind(descriptor, address, address.length) !== 0 || listen(descriptor, 16) !== 0) {
    throw new Error(`nothing can listen at ${path}`);
  }
  return descriptor;
}
