import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Platform } from '../../conformance/start.ts';
import { deployEcho, fcClient } from '../functions.ts';
import { CLEAN_ENV } from '../processes.ts';
import type { Measurement, Pair, Row } from '../row.ts';

/** What the function waits for, as one that asks a database would. */
const HANDLER = 'exports.handler = async (e) => { await new Promise((r) => setTimeout(r, 20)); return e; };\n';
/** This many calls in flight keep the platform busy: a share of two callers is half of it. */
const FULL = 32;
const SHARE = FULL / 2;
const ROUNDS = 5;

interface Seen {
  readonly calls: number;
  readonly served: number;
  readonly throttled: number;
  readonly p50: number;
  readonly p99: number;
}

const execute = promisify(execFile);

/** A caller of its own process on the last CPU; the heavy one lets the others go first there. */
async function call(platform: Platform, plan: object, niceness: number): Promise<Seen> {
  const args = JSON.stringify({ platform, ...plan });
  const command = [
    '-n',
    String(niceness),
    'taskset',
    '-c',
    '1',
    process.execPath,
    join(import.meta.dirname, '../neighbour.ts'),
    args,
  ];
  const { stdout } = await execute('nice', command, { env: CLEAN_ENV });
  return JSON.parse(stdout) as Seen;
}

/** What a caller far below its share notices of one far above: the same calls alone and beside it, alternating. */
export const smallCaller: Row = {
  name: 'small-caller',
  baseline: 'the same caller alone',
  async run(start) {
    const platform = await start();
    const client = fcClient(platform);
    for (const name of ['bench-small', 'bench-heavy']) {
      await deployEcho(client, { name, runtime: 'nodejs20', code: HANDLER }).catch((error: { code?: string }) => {
        if (error.code !== 'FunctionAlreadyExists') throw error;
      });
    }
    const small = { name: 'bench-small', inFlight: 2, pauseMs: 20, ms: 2_500 };
    const heavy = { name: 'bench-heavy', inFlight: 20 * SHARE, pauseMs: 0, warmMs: 0 };
    const served: Pair[] = [];
    const p99: Pair[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const alone = await call(platform, { ...small, warmMs: 500 }, 0);
      const [crowd, beside] = await Promise.all([
        call(platform, { ...heavy, ms: 6_000 }, 19),
        call(platform, { ...small, warmMs: 3_000 }, 0),
      ]);
      console.log(
        `small-caller: alone ${JSON.stringify(alone)} beside ${JSON.stringify(beside)} heavy ${JSON.stringify(crowd)}`,
      );
      // the ratio is a cost, as everywhere in the table: how many more answers there would have been alone
      served.push({ ours: alone.served, baseline: beside.served });
      p99.push({ ours: beside.p99, baseline: alone.p99 });
    }
    const measurements: Measurement[] = [
      {
        measure: 'answers alone ÷ answers beside a caller 20× over its share',
        unit: '',
        rounds: served,
        goal: 1 / 0.95,
      },
      { measure: 'p99 beside it', unit: 'ms', rounds: p99, goal: 1.5 },
    ];
    return measurements;
  },
};
