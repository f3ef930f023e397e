import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '../../core/base/clock.ts';
import { type Disposable, toDisposable } from '../../core/base/disposable.ts';

const LOOK_MS = 50;

/**
 * Makes sure that one process alone on this machine is `role` of `folder`. The lock is a name in the kernel's abstract
 * socket space, which is gone with the process that held it, however that ended. Waits up to `patienceMs` for a holder that
 * is ending; undefined when it still holds on then.
 */
export async function lockFolder(
  role: string,
  folder: string,
  clock: Clock,
  patienceMs: number,
): Promise<Disposable | undefined> {
  const name = `\0tidemill-${role}-${createHash('sha256').update(folder).digest('hex').slice(0, 24)}`;
  const deadline = clock.monotonic() + patienceMs;
  for (;;) {
    const server = await listen(name);
    if (server !== undefined) return toDisposable(() => server.close());
    if (clock.monotonic() >= deadline) return undefined;
    await pause(LOOK_MS); // a timer of its own: while we wait, it may be all that keeps the process alive
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
    server.listen(name, () => {
      server.unref();
      resolve(server);
    });
  });
}
