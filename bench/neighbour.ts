// A caller of one function, in a process of its own. argv[2]: JSON {platform, name, inFlight, pauseMs, ms, warmMs}. Calls for
// `warmMs + ms`, counts what begins after `warmMs`, and prints one JSON line: calls, served, throttled, p50, p99.
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'undici';
import { signed } from '../conformance/signing.ts';
import type { Platform } from '../conformance/start.ts';

interface Plan {
  readonly platform: Platform;
  readonly name: string;
  readonly inFlight: number;
  /** Between an answer and the next call, milliseconds. */
  readonly pauseMs: number;
  readonly ms: number;
  readonly warmMs: number;
}

const plan = JSON.parse(process.argv[2] ?? '') as Plan;
const path = `/2023-03-30/functions/${plan.name}/invocations`;
const latencies: number[] = [];
const seen = { calls: 0, served: 0, throttled: 0 };
const begin = performance.now();

async function connection(): Promise<void> {
  const client = new Client(plan.platform.endpoint);
  while (performance.now() - begin < plan.warmMs + plan.ms) {
    const { headers } = signed(plan.platform, { method: 'POST', path, body: 'x' });
    const sent = performance.now();
    const answer = await client.request({ method: 'POST', path, headers, body: 'x' });
    const text = await answer.body.text();
    if (sent - begin >= plan.warmMs) {
      seen.calls++;
      if (answer.statusCode === 200 && text === 'x') {
        seen.served++;
        latencies.push(performance.now() - sent);
      } else if (answer.statusCode === 429 || answer.statusCode === 503) seen.throttled++;
      else throw new Error(`unexpected answer ${answer.statusCode}: ${text}`);
    }
    if (plan.pauseMs > 0) await pause(plan.pauseMs);
  }
  await client.close();
}

await Promise.all(Array.from({ length: plan.inFlight }, connection));
const sorted = latencies.toSorted((a, b) => a - b);
const at = (share: number): number | undefined =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
console.log(JSON.stringify({ ...seen, p50: at(0.5), p99: at(0.99) }));
