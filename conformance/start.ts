import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A running platform, as someone outside sees it: addresses and keys, nothing else. */
export interface Platform {
  /** `http://host:port`. */
  readonly endpoint: string;
  readonly objectsEndpoint: string;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  /** Of the supervisor, when `connect` started the platform. */
  readonly pid: number | undefined;
  /** Its data folder, when `connect` started the platform; gone after `close`. */
  readonly data?: string | undefined;
  /** Stops what `connect` started; a platform that was given stays. */
  close(): Promise<void>;
}

const READY_MS = 120_000;
const STOP_MS = 60_000;

/**
 * The platform under test: the one that TIDEMILL_ENDPOINT, TIDEMILL_OBJECTS_ENDPOINT, TIDEMILL_ACCESS_KEY_ID and
 * TIDEMILL_ACCESS_KEY_SECRET name, or a fresh `tidemill up` of the built program with a data folder of its own.
 * TIDEMILL_ISOLATION names the tier of a fresh one.
 */
export async function connect(): Promise<Platform> {
  const { TIDEMILL_ENDPOINT: endpoint, TIDEMILL_OBJECTS_ENDPOINT: objectsEndpoint } = process.env;
  const { TIDEMILL_ACCESS_KEY_ID: accessKeyId, TIDEMILL_ACCESS_KEY_SECRET: accessKeySecret } = process.env;
  if (endpoint === undefined) return start();
  if (objectsEndpoint === undefined || accessKeyId === undefined || accessKeySecret === undefined) {
    throw new Error(
      'TIDEMILL_ENDPOINT is set; set TIDEMILL_OBJECTS_ENDPOINT, _ACCESS_KEY_ID and _ACCESS_KEY_SECRET as well',
    );
  }
  return {
    endpoint,
    objectsEndpoint,
    accessKeyId,
    accessKeySecret,
    pid: pidGiven(),
    data: undefined,
    close: async () => {},
  };
}

interface Ready {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly objects: { readonly endpoint: string };
}

/** A fresh `tidemill up`, with these variables besides those of the test. */
export async function start(env: Readonly<Record<string, string>> = {}): Promise<Platform> {
  const data = await mkdtemp(join(tmpdir(), 'tidemill-conformance-'));
  const program = join(import.meta.dirname, '..', 'bin', 'tidemill.mjs');
  const tier = { ...process.env, ...env }['TIDEMILL_ISOLATION'];
  const confined = tier === undefined ? [] : ['--isolation', tier];
  const child = spawn(process.execPath, [program, 'up', '--data', data, '--port', '0', '--json', ...confined], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const close = async (): Promise<void> => {
    await stop(child);
    await rm(data, { recursive: true, force: true });
  };
  try {
    const ready = await firstLine(child);
    return {
      endpoint: ready.endpoint,
      objectsEndpoint: ready.objects.endpoint,
      accessKeyId: ready.accessKeyId,
      accessKeySecret: ready.accessKeySecret,
      pid: child.pid,
      data,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The first line on stdout, once it serves, is one JSON object (the black-box contract). */
function firstLine(child: ChildProcess): Promise<Ready> {
  return new Promise((resolve, reject) => {
    if (child.stdout === null || child.stderr === null) throw new Error('the child has no pipes');
    let stderr = '';
    const timer = setTimeout(() => reject(new Error(`not ready after ${READY_MS} ms\n${stderr}`)), READY_MS);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-8000);
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`tidemill up ended with ${code}\n${stderr}`)));
    createInterface({ input: child.stdout }).once('line', (line) => {
      clearTimeout(timer);
      try {
        resolve(JSON.parse(line) as Ready);
      } catch {
        reject(new Error(`the first line is not JSON: ${line}`));
      }
    });
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await exited;
  clearTimeout(timer);
}

/** The variables that name a platform to the tests of another process. */
export function environmentOf(platform: Platform): Record<string, string> {
  return {
    TIDEMILL_ENDPOINT: platform.endpoint,
    TIDEMILL_OBJECTS_ENDPOINT: platform.objectsEndpoint,
    TIDEMILL_ACCESS_KEY_ID: platform.accessKeyId,
    TIDEMILL_ACCESS_KEY_SECRET: platform.accessKeySecret,
  };
}

/** TIDEMILL_PID: the supervisor of a platform that was given, for those who measure its processes. */
function pidGiven(): number | undefined {
  const text = process.env.TIDEMILL_PID;
  return text === undefined ? undefined : Number(text);
}
