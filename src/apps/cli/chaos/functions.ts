import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';
import { type FcClient, fcPath } from '../api/fc-client.ts';

export const WORKER = 'chaos-worker';
/** The worker as a program of its own: the platform cannot ask it what it works on. */
export const CUSTOM = 'chaos-custom';
export const SINK = 'chaos-sink';
export const BUCKET = 'chaos';
export const MAX_RETRIES = 2;

const TELL = `process.title = 'tm-chaos ' + Date.now();
const http = require('node:http');
const { randomUUID } = require('node:crypto');
const agent = new http.Agent({ keepAlive: true });
const tell = (said) => new Promise((resolve, reject) => {
  const req = http.request(process.env.WITNESS, { method: 'POST', agent }, (res) => res.resume().on('end', resolve));
  req.on('error', reject);
  req.end(JSON.stringify(said));
});
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
`;

/** Tells when a run begins and ends, fails as often as it is told to, answers with its id and the code's generation. */
const WORKER_CODE = `${TELL}
exports.handler = async (raw, context) => {
  const { id, ms = 0, failures = 0 } = JSON.parse(raw);
  if (id === 'generation') return { generation: Number(process.env.GENERATION) };
  const run = randomUUID();
  await tell({ what: 'begin', id, run });
  await wait(ms);
  await tell({ what: 'end', id, run });
  if (context.retryCount < failures) throw new Error('asked to fail');
  return { id };
};
`;

const CUSTOM_CODE = `${TELL}
http.createServer(async (req, res) => {
  let text = '';
  for await (const piece of req) text += piece;
  const { id, ms = 0, failures = 0 } = JSON.parse(text);
  const run = randomUUID();
  try {
    await tell({ what: 'begin', id, run });
    await wait(ms);
    await tell({ what: 'end', id, run });
    res.statusCode = Number(req.headers['x-fc-retry-count'] ?? 0) < failures ? 404 : 200;
  } catch {
    res.statusCode = 500;
  }
  res.end(JSON.stringify({ id }));
}).listen(9000, '0.0.0.0');
`;

/** Destination of the worker's successes. */
const SINK_CODE = `${TELL}
exports.handler = async (raw) => {
  const { requestPayload } = JSON.parse(raw);
  await tell({ what: 'delivered', id: JSON.parse(requestPayload).id, run: randomUUID() });
  return 'ok';
};
`;

const CODE = { [WORKER]: WORKER_CODE, [CUSTOM]: CUSTOM_CODE, [SINK]: SINK_CODE };
const OWN_PROGRAM = {
  runtime: 'custom.debian12',
  handler: 'index.handler',
  customRuntimeConfig: { command: ['node', 'index.js'], port: 9000 },
};

/** Makes or renews a function. `generation` tells one deploy from the next. */
export async function deployFunction(
  client: FcClient,
  name: keyof typeof CODE,
  settings: { readonly witness: string; readonly generation: number; readonly create: boolean },
): Promise<void> {
  const zipFile = await zipOf(CODE[name]);
  const body = {
    functionName: name,
    ...(name === CUSTOM ? OWN_PROGRAM : { runtime: 'nodejs24', handler: 'index.handler' }),
    memorySize: 128,
    cpu: 0.1,
    timeout: 30,
    internetAccess: true,
    environmentVariables: { WITNESS: settings.witness, GENERATION: String(settings.generation) },
    code: { zipFile },
  };
  if (settings.create) await client.call('CreateFunction', 'POST', fcPath`/functions`, { body });
  else await client.call('UpdateFunction', 'PUT', fcPath`/functions/${name}`, { body });
}

/** Retries, and the sink as destination of what succeeds. */
export async function configureAsync(client: FcClient, accountId: string, region: string): Promise<void> {
  const destination = `acs:fc:${region}:${accountId}:functions/${SINK}`;
  const body = {
    maxAsyncRetryAttempts: MAX_RETRIES,
    maxAsyncEventAgeInSeconds: 3_600,
    destinationConfig: { onSuccess: { destination } },
  };
  for (const name of [WORKER, CUSTOM]) {
    await client.call('PutAsyncInvokeConfig', 'PUT', fcPath`/functions/${name}/async-invoke-config`, { body });
  }
}

async function zipOf(code: string): Promise<string> {
  const zip = new ZipFile();
  zip.addBuffer(Buffer.from(code), 'index.js', { mtime: new Date(0) });
  zip.end();
  return (await buffer(zip.outputStream)).toString('base64');
}
