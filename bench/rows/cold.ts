import type { Platform } from '../../conformance/start.ts';
import { Caller } from '../caller.ts';
import { deployEcho, fcClient } from '../functions.ts';
import { NOTHING_BARE, onOwnPlatform } from '../own-platform.ts';
import { timeCommand } from '../processes.ts';
import { type Pair, quantile, type Row } from '../row.ts';
import { waitForBare, waitForPool } from '../pool-ready.ts';

const STARTS = 20;

/** First call of a function that nobody called before, while a booted runtime waits in the pool. */
export const coldFromPool: Row = {
  name: 'cold-pool',
  baseline: 'node -e 0',
  async run(start) {
    const platform = await start();
    const client = fcClient(platform);
    const caller = new Caller(platform);
    const ours: number[] = [];
    const baseline: number[] = [];
    for (let i = 0; i < STARTS; i++) {
      const name = `bench-pool-${i}`;
      await deployEcho(client, { name, runtime: 'nodejs24' });
      await waitForPool(platform, 'nodejs24');
      ours.push(await caller.call(name));
      baseline.push(await timeCommand(process.execPath, ['-e', '0']));
    }
    await caller.close();
    const pair = (share: number): Pair[] => [{ ours: quantile(ours, share), baseline: quantile(baseline, 0.5) }];
    return [
      { measure: 'p50, as a client sees it', unit: 'ms', rounds: pair(0.5), goal: 0.15 },
      { measure: 'p99, as a client sees it', unit: 'ms', rounds: pair(0.99), goal: 0.5 },
    ];
  },
};

/** A function that changes how its runtime boots, in sandboxes that wait for one, or made for it. */
async function ownBoots(platform: Platform, ready: () => Promise<void>): Promise<readonly Pair[]> {
  const client = fcClient(platform);
  const caller = new Caller(platform);
  const rounds: Pair[] = [];
  for (let i = 0; i < STARTS / 2; i++) {
    const name = `bench-own-boot-${i}`;
    await deployEcho(client, { name, runtime: 'nodejs24', environment: { NODE_OPTIONS: '--no-warnings' } });
    await ready();
    const ours = await caller.call(name);
    rounds.push({ ours, baseline: await timeCommand(process.execPath, ['-e', '0']) });
  }
  await caller.close();
  return rounds;
}

/** The same when a sandbox waits, without a runtime: the function's environment needs a process of its own. */
export const coldFromBare: Row = {
  name: 'cold-bare',
  baseline: 'node -e 0',
  async run(start) {
    const platform = await start();
    const rounds = await ownBoots(platform, () => waitForBare(platform, 'nodejs24'));
    return [{ measure: 'p50, as a client sees it', unit: 'ms', rounds }];
  },
};

/** The same when nothing was made ahead. */
export const coldFromScratch: Row = {
  name: 'cold-scratch',
  baseline: 'node -e 0',
  async run() {
    const rounds = await onOwnPlatform(NOTHING_BARE, (platform) => ownBoots(platform, () => Promise.resolve()));
    return [{ measure: 'p50, as a client sees it', unit: 'ms', rounds }];
  },
};
