import { setTimeout as pause } from 'node:timers/promises';
import type { Platform } from '../conformance/start.ts';

/** Waits until the platform says that a booted runtime of this kind is waiting. Gives up after ten seconds. */
export async function waitForPool(platform: Platform, runtime: string): Promise<void> {
  const pattern = new RegExp(`^tidemill_pool_ready\\{runtime="${runtime}"\\} ([0-9]+)$`, 'm');
  const deadline = performance.now() + 10_000;
  while (performance.now() < deadline) {
    const answer = await fetch(`${platform.endpoint}/tidemill/v1/metrics`);
    if (Number(pattern.exec(await answer.text())?.[1] ?? 0) > 0) return;
    await pause(10);
  }
  throw new Error(`no booted ${runtime} runtime within ten seconds`);
}
