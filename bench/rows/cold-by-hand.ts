import type { Platform } from '../../conformance/start.ts';
import { readBundle, standingBundles, startByHand } from '../bundle-by-hand.ts';
import { Caller } from '../caller.ts';
import { deployEcho, fcClient } from '../functions.ts';
import { NOTHING_BARE, onOwnPlatform } from '../own-platform.ts';
import type { Measurement, Pair, Row } from '../row.ts';

const STARTS = 12;
const ENVIRONMENT = { NODE_OPTIONS: '--no-warnings' };

/**
 * A start when nothing was made ahead, against the very same bundle started by hand: same OCI command, root, limits and
 * network, runtime booted, function loaded and called once over its socket. Taken in turn.
 */
export const coldByHand: Row = {
  name: 'cold-by-hand',
  baseline: 'the same bundle by hand',
  run: () => onOwnPlatform(NOTHING_BARE, measure),
};

async function measure(platform: Platform): Promise<readonly Measurement[]> {
  const client = fcClient(platform);
  const caller = new Caller(platform);
  const rounds: Pair[] = [];
  for (let i = 0; i < STARTS; i++) {
    const name = `bench-by-hand-${i}`;
    await deployEcho(client, { name, runtime: 'nodejs24', environment: ENVIRONMENT });
    const before = standingBundles();
    const ours = await caller.call(name);
    const made = [...standingBundles()]
      .filter((folder) => !before.has(folder))
      .flatMap((folder) => readBundle(folder) ?? []);
    const bundle = made.find(({ config }) =>
      JSON.stringify(config).includes(`NODE_OPTIONS=${ENVIRONMENT.NODE_OPTIONS}`),
    );
    if (bundle === undefined) throw new Error(`no bundle of ${name} is found`);
    rounds.push({ ours, baseline: await startByHand(bundle, ENVIRONMENT) });
  }
  await caller.close();
  return [{ measure: 'p50, as a client sees it', unit: 'ms', rounds, goal: 1.1 }];
}
