import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import type { Disposable } from '../../core/base/disposable.ts';

/**
 * Makes sure that a data folder is served once on this machine: holds an abstract socket, which the kernel frees when the
 * process dies, however it dies. Throws when another one holds it.
 */
export async function claimDataFolder(data: string): Promise<Disposable> {
  const name = `\0tidemill-${createHash('sha256').update(data).digest('hex')}`;
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'EADDRINUSE' ? new Error(`another tidemill is serving ${data}`) : error);
    });
    server.listen(name, resolve);
  });
  server.unref();
  return { dispose: () => void server.close() };
}
