import { setTimeout as pause } from 'node:timers/promises';
import type { Platform } from '../conformance/start.ts';

/** Waits until the platform says that so many booted runtimes of this kind are waiting. Gives up after a while. */
export async function waitForPool(platform: Platform, runtime: string, count = 1): Promise<void> {
  const pattern = new RegExp(`^tidemill_pool_ready\\{runtime="${runtime}"\\} ([0-9]+)$`, 'm');
  const deadline = performance.now() + 10_000 + count * 1_000;
  while (performance.now() < deadline) {
    const answer = await fetch(`${platform.endpoint}/tidemill/v1/metrics`);
    if (Number(pattern.exec(await answer.text())?.[1] ?? 0) >= count) return;
    await pause(10);
  }
  throw new Error(`there are not ${count} booted ${runtime} runtimes in time`);
}
