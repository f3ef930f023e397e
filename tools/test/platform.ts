import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A built platform in a folder of its own, for clients to talk to. */
export interface Platform {
  /** What the clients' tests read. */
  readonly env: Readonly<Record<string, string>>;
  /** Ends it; resolves with the number of things that went wrong (0 or 1). */
  stop(): Promise<number>;
}

interface Ready {
  readonly endpoint: string;
  readonly accountId: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly objects: { readonly endpoint: string };
}

/** Starts `tidemill up` on free ports and waits until it says that it serves. Rejects when it ends before that. */
export async function startPlatform(): Promise<Platform> {
  const data = mkdtempSync(join(tmpdir(), 'tidemill-test-'));
  const command = join(import.meta.dirname, '../../bin/tidemill.mjs');
  const child = spawn(process.execPath, [command, 'up', '--data', join(data, 'data'), '--port', '0', '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, XDG_CONFIG_HOME: join(data, 'config') },
  });
  const exited = new Promise<number>((resolve) => child.on('exit', (code) => resolve(code ?? 1)));
  const ready = await Promise.race([
    new Promise<Ready>((resolve) =>
      createInterface({ input: child.stdout }).once('line', (line) => resolve(JSON.parse(line) as Ready)),
    ),
    exited.then((code) => Promise.reject(new Error(`tidemill up ended with code ${code} before it served`))),
  ]);
  return {
    env: {
      TIDEMILL_ENDPOINT: ready.endpoint,
      TIDEMILL_OBJECTS_ENDPOINT: ready.objects.endpoint,
      TIDEMILL_ACCOUNT_ID: ready.accountId,
      TIDEMILL_REGION: ready.region,
      TIDEMILL_ACCESS_KEY_ID: ready.accessKeyId,
      TIDEMILL_ACCESS_KEY_SECRET: ready.accessKeySecret,
      TIDEMILL_PID: String(child.pid),
      TIDEMILL_DATA: join(data, 'data'),
    },
    async stop() {
      child.kill('SIGTERM');
      const code = await exited;
      rmSync(data, { recursive: true, force: true });
      if (code !== 0) console.log(`tidemill up ended with code ${code}`);
      return code === 0 ? 0 : 1;
    },
  };
}
