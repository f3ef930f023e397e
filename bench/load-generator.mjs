// Sends requests over kept-alive connections, a fixed number in flight, and prints one JSON line with what it saw.
// Its own process, so that its CPU time is not the server's. argv[2]: JSON {origin, path, inFlight, requests, key?, headers?}.
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { Client } from 'undici';

const plan = JSON.parse(process.argv[2]);
const body = Buffer.from('{"hello":"world"}');
const bodyHash = createHash('sha256').update(body).digest('hex');
const host = new URL(plan.origin).host;
const latencies = new Float64Array(plan.requests);
let next = 0;
let failed = 0;

/** ACS3-HMAC-SHA256 as the vendor's SDK signs an invocation. */
function signed() {
  const headers = {
    'content-type': 'application/octet-stream',
    host,
    'x-acs-action': 'InvokeFunction',
    'x-acs-content-sha256': bodyHash,
    'x-acs-date': `${new Date().toISOString().slice(0, 19)}Z`,
    'x-acs-signature-nonce': randomBytes(16).toString('hex'),
    'x-acs-version': '2023-03-30',
  };
  const names = Object.keys(headers).sort();
  const list = names.join(';');
  const lines = names.map((name) => `${name}:${headers[name]}\n`).join('');
  const canonical = `POST\n${plan.path}\n\n${lines}\n${list}\n${bodyHash}`;
  const text = `ACS3-HMAC-SHA256\n${createHash('sha256').update(canonical).digest('hex')}`;
  const signature = createHmac('sha256', plan.key.secret).update(text).digest('hex');
  headers.authorization = `ACS3-HMAC-SHA256 Credential=${plan.key.id},SignedHeaders=${list},Signature=${signature}`;
  return headers;
}

async function connection() {
  const client = new Client(plan.origin);
  while (next < plan.requests) {
    const index = next++;
    const headers =
      plan.key === undefined ? (plan.headers ?? { 'content-type': 'application/octet-stream' }) : signed();
    const begin = performance.now();
    const answer = await client.request({ method: 'POST', path: plan.path, headers, body });
    const text = await answer.body.text();
    latencies[index] = performance.now() - begin;
    if (answer.statusCode !== 200 || text !== body.toString() || answer.headers['x-fc-error-type'] !== undefined) {
      if (failed++ === 0) console.error(`unexpected answer ${answer.statusCode}: ${text}`);
    }
  }
  await client.close();
}

const begin = performance.now();
await Promise.all(Array.from({ length: plan.inFlight }, connection));
const wallMs = performance.now() - begin;
latencies.sort();
const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))];
console.log(JSON.stringify({ wallMs, failed, p50: at(0.5), p99: at(0.99), p999: at(0.999) }));
