import { setTimeout as pause } from 'node:timers/promises';
import fcModule from '@alicloud/fc20230330';
import { signed } from '../../conformance/signing.ts';
import { connect, type Platform } from '../../conformance/start.ts';
import { callOnce, deployEcho, fcClient } from '../functions.ts';
import { quantile, type Pair, type Row } from '../row.ts';

const ROUNDS = 5;
const CALLS = 4;
const SHRINK_AFTER_MS = 400;
/** Long enough for the shrink itself, and to be measured afterwards. */
const SHRUNK_MS = 900;
const NAME = 'bench-shrunk';

interface Line {
  readonly pause: string;
  readonly memoryNowMb: number;
}

/** A call to a reserved instance that has given its memory back, against a call to the same instance while it runs. */
export const shrunkCall: Row = {
  name: 'shrunk-call',
  baseline: 'the same, running instance',
  async run() {
    const platform = await tuned();
    try {
      return await measure(platform);
    } finally {
      await platform.close();
    }
  },
};

async function tuned(): Promise<Platform> {
  const before = process.env.TIDEMILL_TUNING;
  process.env.TIDEMILL_TUNING = JSON.stringify({ scheduler: { shrinkAfterMs: SHRINK_AFTER_MS } });
  try {
    return await connect();
  } finally {
    if (before === undefined) delete process.env.TIDEMILL_TUNING;
    else process.env.TIDEMILL_TUNING = before;
  }
}

async function measure(platform: Platform): ReturnType<Row['run']> {
  const client = fcClient(platform);
  await deployEcho(client, { name: NAME, runtime: 'nodejs24' });
  const body = new fcModule.PutProvisionConfigInput({ defaultTarget: 1, alwaysAllocateCPU: false });
  await client.putProvisionConfig(NAME, new fcModule.PutProvisionConfigRequest({ body }));
  await waitFor(platform, (line) => line !== undefined);
  const call = async (): Promise<number> => {
    const begin = performance.now();
    await callOnce(client, NAME, 'x');
    return performance.now() - begin;
  };
  const [time, memory]: [Pair[], Pair[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    // Calls without a pause of 100 ms keep it running for longer than its memory is looked at.
    for (let i = 0; i < 60; i++) {
      await call();
      await pause(20);
    }
    const running = await waitFor(
      platform,
      (line) => line !== undefined && line.pause !== 'shrunk' && line.memoryNowMb > 0,
    );
    const [shrunk, warm]: [number[], number[]] = [[], []];
    for (let i = 0; i < CALLS; i++) {
      await pause(SHRUNK_MS);
      shrunk.push(await call());
      await pause(40);
      warm.push(await call());
    }
    await pause(SHRUNK_MS + 1_200);
    const small = await waitFor(platform, (line) => line?.pause === 'shrunk');
    time.push({ ours: quantile(shrunk, 0.5), baseline: quantile(warm, 0.5) });
    memory.push({ ours: small.memoryNowMb, baseline: running.memoryNowMb });
  }
  return [
    { measure: 'p50, as the SDK sees it', unit: 'ms', rounds: time },
    { measure: 'memory charged', unit: 'MiB', rounds: memory },
  ];
}

async function waitFor(platform: Platform, wanted: (line: Line | undefined) => boolean): Promise<Line> {
  for (;;) {
    const { url, headers } = signed(platform, { method: 'GET', path: `/tidemill/v1/functions/${NAME}/instances` });
    const { instances } = (await (await fetch(url, { headers })).json()) as { instances: Line[] };
    const [line] = instances;
    if (line !== undefined && wanted(line)) return line;
    await pause(20);
  }
}
