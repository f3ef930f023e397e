// Says what this host can offer: one JSON document `{tiers, runtimes}` on stdout. Started by `tidemill doctor`.
import { join } from 'node:path';
import { systemClock } from '../../adapters/clock-system/index.ts';
import { findLocalRuntimes } from '../../adapters/runtimes-local/index.ts';
import { reportTiers } from '../../adapters/sandbox-oci/index.ts';

/** User ids of the sandboxes tried: above those of running instances. */
const ID_BASE = 0x7f00_0000;

const packageRoot = join(import.meta.dirname, '../../..');
const tiers = await reportTiers({ clock: systemClock, idBase: ID_BASE });
const runtimes = findLocalRuntimes(packageRoot).available();
process.stdout.write(`${JSON.stringify({ tiers, runtimes })}\n`);
