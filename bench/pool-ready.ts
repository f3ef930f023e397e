import { setTimeout as pause } from 'node:timers/promises';
import type { Platform } from '../conformance/start.ts';

/** Waits until the platform says that so many booted runtimes of this kind are waiting. Gives up after a while. */
export function waitForPool(platform: Platform, runtime: string, count = 1): Promise<void> {
  return waitFor(platform, `tidemill_pool_ready\\{runtime="${runtime}"\\}`, count);
}

/** The same for sandboxes of this kind that wait without a runtime. */
export function waitForBare(platform: Platform, kind: string): Promise<void> {
  return waitFor(platform, `tidemill_bare_ready\\{kind="${kind}"\\}`, 1);
}

async function waitFor(platform: Platform, sample: string, count: number): Promise<void> {
  const pattern = new RegExp(`^${sample} ([0-9]+)$`, 'm');
  const deadline = performance.now() + 10_000 + count * 1_000;
  while (performance.now() < deadline) {
    const answer = await fetch(`${platform.endpoint}/tidemill/v1/metrics`);
    if (Number(pattern.exec(await answer.text())?.[1] ?? 0) >= count) return;
    await pause(10);
  }
  throw new Error(`${sample} does not reach ${count} in time`);
}
