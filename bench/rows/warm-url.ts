import { CreateTriggerRequest } from '@alicloud/fc20230330';
import type { Platform } from '../../conformance/start.ts';
import { cpuOf, platformProcesses } from '../cpu-time.ts';
import { deployEcho, fcClient } from '../functions.ts';
import { generate, type Load, pinToFirstCpu } from '../processes.ts';
import { type Pair, ROUNDS, type Row } from '../row.ts';

const NAME = 'bench-url';
/** Answers with the body of the request. */
const HANDLER = 'exports.handler = async (e) => ({ statusCode: 200, body: JSON.parse(e.toString()).body });\n';
const IN_FLIGHT = 32;
const REQUESTS = 3_000;
const WARMING_LAPS = 5;
const PLAIN = { 'content-type': 'application/json' };
/** Says nothing that counts here, but is not plain: node:http reads such a request. */
const HANDED_OVER = { ...PLAIN, te: 'trailers' };

/** The URL of the function's trigger, as a path on the API's endpoint. */
async function urlPath(platform: Platform): Promise<string> {
  const client = fcClient(platform);
  const wanted = { name: NAME, runtime: 'nodejs24', code: HANDLER, cpu: 1, memorySize: 1024 };
  await deployEcho(client, wanted).catch((error: { code?: string }) => {
    if (error.code !== 'FunctionAlreadyExists') throw error;
  });
  const triggerConfig = JSON.stringify({ authType: 'anonymous', methods: ['POST'] });
  const body = { triggerName: 'web', triggerType: 'http', triggerConfig };
  await client.createTrigger(NAME, new CreateTriggerRequest({ body })).catch((error: { code?: string }) => {
    if (error.code !== 'TriggerAlreadyExists') throw error;
  });
  const trigger = (await client.getTrigger(NAME, 'web')).body?.httpTrigger;
  return new URL(trigger?.urlInternet ?? '').pathname;
}

/** What the platform itself pays for a warm call of a trigger's URL, against the same call read by `node:http`. */
export const warmUrl: Row = {
  name: 'warm-url',
  baseline: 'the same read by node:http',
  async run(start) {
    const platform = await start();
    const path = await urlPath(platform);
    const own = (): readonly number[] => platformProcesses(platform.pid ?? 0).own;
    const load = (headers: Load['headers']): Load => {
      const fixed = { origin: platform.endpoint, path, inFlight: IN_FLIGHT, requests: REQUESTS };
      return headers === undefined ? fixed : { ...fixed, headers };
    };
    const perCall = async (headers: Load['headers']): Promise<number> => {
      const seconds = await cpuOf(own, () => generate(load(headers)));
      return (seconds / REQUESTS) * 1e6;
    };
    for (let lap = 0; lap < WARMING_LAPS; lap++) {
      await perCall(PLAIN);
      await perCall(HANDED_OVER);
      await pinToFirstCpu([...own(), ...platformProcesses(platform.pid ?? 0).instances]);
    }
    const rounds: Pair[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      rounds.push({ ours: await perCall(PLAIN), baseline: await perCall(HANDED_OVER) });
    }
    return [{ measure: 'CPU per call of a URL, 32 in flight', unit: 'µs', rounds, goal: 0.9 }];
  },
};
