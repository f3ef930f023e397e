import { parentPort, Worker } from 'node:worker_threads';
import type { Thread, ThreadOwner } from '../../core/base/batch-thread.ts';

/**
 * Starts a worker thread from the file `entry`, named without its extension, beside the module `beside` (its
 * `import.meta.url`), whichever form that is in: sources (.ts) or build (.js).
 */
export function startThread(beside: string, entry: string, data: unknown): Thread {
  const extension = beside.endsWith('.ts') ? '.ts' : '.js';
  const worker = new Worker(new URL(`./${entry}${extension}`, beside), { workerData: data, name: entry });
  let failure: Error | undefined;
  worker.on('error', (error) => {
    failure = error instanceof Error ? error : new Error(String(error));
  });
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    onMessage: (listener) => void worker.on('message', listener),
    onEnd: (listener) => void worker.on('exit', () => listener(failure)),
    hold: (yes) => (yes ? worker.ref() : worker.unref()),
  };
}

/** The owner of the thread that this code runs in. */
export function threadOwner(): ThreadOwner & { close(): void } {
  if (parentPort === null) throw new Error('this file is the entry of a worker thread and runs nowhere else');
  const port = parentPort;
  return {
    post: (message, transfer) => port.postMessage(message, transfer),
    onMessage: (listener) => void port.on('message', listener),
    close: () => port.close(),
  };
}
