import type { Platform } from '../../conformance/start.ts';
import { Caller } from '../caller.ts';
import { deployEcho, fcClient } from '../functions.ts';
import { NOTHING_BARE, onOwnPlatform } from '../own-platform.ts';
import { waitForPool } from '../pool-ready.ts';
import { timeCommand } from '../processes.ts';
import type { Measurement, Pair, Row } from '../row.ts';

const INSTANCES = 100;

/** 100 functions nobody called before, all called at once, until the last has answered; against 100 processes started at once. */
async function burst(platform: Platform, environment: Readonly<Record<string, string>>): Promise<Pair> {
  const client = fcClient(platform);
  const caller = new Caller(platform);
  const names = Array.from({ length: INSTANCES }, (_, index) => `bench-burst-${index}`);
  for (const name of names) await deployEcho(client, { name, runtime: 'nodejs24', environment });
  if (Object.keys(environment).length === 0) await waitForPool(platform, 'nodejs24', INSTANCES);
  const begin = performance.now();
  await Promise.all(names.map((name) => caller.call(name)));
  const ours = performance.now() - begin;
  await caller.close();
  const bare = performance.now();
  await Promise.all(names.map(() => timeCommand(process.execPath, ['-e', '0'])));
  return { ours, baseline: performance.now() - bare };
}

const baseline = '100 × node -e 0 at once';

/** From nothing to 100 instances while as many booted runtimes wait. */
export const burstFromPool: Row = {
  name: 'burst-pool',
  baseline,
  async run(): Promise<readonly Measurement[]> {
    const deep = { poolDepth: INSTANCES, poolMembers: INSTANCES, poolMemoryPercent: 50 };
    const pair = await onOwnPlatform(deep, (platform) => burst(platform, {}));
    return [{ measure: '100 first answers', unit: 'ms', rounds: [pair], goal: 0.15 }];
  },
};

/** The same when nothing was made ahead. */
export const burstFromScratch: Row = {
  name: 'burst-scratch',
  baseline,
  async run(): Promise<readonly Measurement[]> {
    const pair = await onOwnPlatform({ poolDepth: 0, ...NOTHING_BARE }, (platform) =>
      burst(platform, { NODE_OPTIONS: '--no-warnings' }),
    );
    return [{ measure: '100 first answers', unit: 'ms', rounds: [pair], goal: 1.4 }];
  },
};
