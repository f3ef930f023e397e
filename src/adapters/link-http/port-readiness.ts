import { connect } from 'node:net';
import type { Clock } from '../../core/base/clock.ts';
import { LinkBrokenError } from '../../core/ports/instance-link.ts';
import { RuntimeTimeoutError } from '../../core/ports/runtime-control.ts';

/** Pause between attempts: short first, since most servers are up at once, then longer so that slow ones cost little. */
const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 100;

/** One TCP connection attempt, closed again at once. An attempt that hangs counts as failed when `signal` aborts. */
function accepts(host: string, port: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (answer: boolean): void => {
      signal.removeEventListener('abort', abandon);
      socket.destroy();
      resolve(answer);
    };
    const abandon = (): void => finish(false);
    signal.addEventListener('abort', abandon);
    socket.once('connect', () => finish(true));
    socket.once('error', () => finish(false));
  });
}

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      timer.dispose();
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = clock.after(ms, finish);
    signal.addEventListener('abort', finish);
  });
}

/**
 * Waits until `host:port` accepts connections. Rejects with RuntimeTimeoutError after `timeoutMs`, with LinkBrokenError
 * when `signal` aborts before.
 */
export async function waitForPort(
  host: string,
  port: number,
  timeoutMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const limit = new AbortController();
  const timer = clock.after(timeoutMs, () => limit.abort());
  const either = AbortSignal.any([signal, limit.signal]);
  try {
    for (let wait = FIRST_PAUSE_MS; !either.aborted; wait = Math.min(wait * 2, LONGEST_PAUSE_MS)) {
      if (await accepts(host, port, either)) return;
      await pause(clock, wait, either);
    }
  } finally {
    timer.dispose();
  }
  if (signal.aborted) throw new LinkBrokenError('the control was closed while the port did not accept connections yet');
  throw new RuntimeTimeoutError(`port ${port} did not accept connections within ${timeoutMs} ms`);
}
