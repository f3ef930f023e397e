import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import type { Clock } from '../../core/base/clock.ts';
import { type Disposable, toDisposable } from '../../core/base/disposable.ts';

const LOOK_MS = 50;

/**
 * Makes sure that one agent alone looks after a run folder. The lock is a name in the kernel's abstract socket space, which
 * is gone with the process that held it, however that ended. Waits up to `patienceMs` for a predecessor that is ending.
 */
export async function lockRunDir(runDir: string, clock: Clock, patienceMs: number): Promise<Disposable> {
  const name = `\0tidemill-agent-${createHash('sha256').update(runDir).digest('hex').slice(0, 24)}`;
  const deadline = clock.monotonic() + patienceMs;
  for (;;) {
    const server = await listen(name);
    if (server !== undefined) return toDisposable(() => server.close());
    if (clock.monotonic() >= deadline) throw new Error(`another agent looks after ${runDir}`);
    await new Promise<void>((resolve) => clock.after(LOOK_MS, resolve));
  }
}

/** Undefined when the name is taken. */
function listen(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    // Nobody has anything to say here.
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error) => {
      if ('code' in error && error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(name, () => resolve(server));
  });
}
