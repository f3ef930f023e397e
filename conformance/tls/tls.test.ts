import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { connect } from 'node:tls';
import Fc from '@alicloud/fc20230330';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { type Made, makeCertificate } from './certificates.ts';
import { models, type Client, zipCode } from '../fc/world.ts';
import { Installation, until } from '../restart/installation.ts';

/** Answers what the platform says of the function itself, asked over the address that instances have. */
const ASKS = `
const http = require('node:http');
exports.handler = (event, context, callback) => {
  http.get(process.env.TIDEMILL_ENDPOINT + '/tidemill/v1/health', (answer) => {
    let text = '';
    answer.on('data', (chunk) => (text += chunk));
    answer.on('end', () => callback(null, text));
  }).on('error', callback);
};`;
const HOST = 'localhost';

let folder: string;
let live: Made;
let renewed: Made;
let installation: Installation;
let client: Client;
let ca: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tidemill-tls-'));
  live = makeCertificate(folder, 'live', [`DNS:${HOST}`, 'DNS:*.fn.localhost']);
  renewed = makeCertificate(folder, 'renewed', [`DNS:${HOST}`]);
  ca = readFileSync(live.certificate, 'utf8');
  installation = await Installation.serving(['--tls-cert', live.certificate, '--tls-key', live.key]);
  const { endpoint, accessKeyId, accessKeySecret } = installation.platform;
  const settings = { protocol: 'https', endpoint: new URL(endpoint).host, regionId: 'local', ca };
  const key = { accessKeyId, accessKeySecret, readTimeout: 60_000, connectTimeout: 60_000 };
  client = new Fc.default({ ...settings, ...key } as unknown as ConstructorParameters<typeof Fc.default>[0]);
});
after(async () => {
  await installation.close();
  rmSync(folder, { recursive: true, force: true });
});

function get(url: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent: new Agent({ ca }) }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

async function invoke(name: string): Promise<string> {
  const answer = await client.invokeFunction(
    name,
    new models.InvokeFunctionRequest({ body: Readable.from([Buffer.from('x')]) }),
  );
  let text = '';
  for await (const chunk of answer.body ?? []) text += String(chunk);
  return text;
}

test('it tells https addresses with a name of the certificate', () => {
  assert.match(installation.platform.endpoint, /^https:\/\/localhost:\d+$/);
  assert.match(installation.platform.objectsEndpoint, /^https:\/\/localhost:\d+$/);
});

test('the unmodified SDK deploys and calls over TLS; an instance reaches the platform on this machine without it', async () => {
  const code = await zipCode({ 'index.js': ASKS });
  const body = { functionName: 'asks', runtime: 'nodejs20', handler: 'index.handler', memorySize: 128, cpu: 0.1, code };
  const input = new models.CreateFunctionInput({ ...body, timeout: 20 });
  await client.createFunction(new models.CreateFunctionRequest({ body: input }));
  assert.equal((JSON.parse(await invoke('asks')) as { ok: boolean }).ok, true);
});

test('a trigger URL is https and answers', async () => {
  const triggerConfig = JSON.stringify({ authType: 'anonymous', methods: ['GET'] });
  const input = new models.CreateTriggerInput({ triggerName: 'web', triggerType: 'http', triggerConfig });
  const made = await client.createTrigger('asks', new models.CreateTriggerRequest({ body: input }));
  const url = made.body?.httpTrigger?.urlInternet ?? '';
  assert.match(url, /^https:\/\/localhost:/);
  const { status, text } = await get(url);
  assert.equal(status, 200, text);
});

test('objects are stored and read over TLS by the AWS SDK', async () => {
  const { objectsEndpoint, accessKeyId, accessKeySecret } = installation.platform;
  const s3 = new S3Client({
    endpoint: objectsEndpoint,
    region: 'local',
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey: accessKeySecret },
    requestHandler: { httpsAgent: new Agent({ ca }) },
  });
  const Bucket = 'tls-bucket';
  await s3.send(new CreateBucketCommand({ Bucket }));
  await s3.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'secret' }));
  const found = await s3.send(new GetObjectCommand({ Bucket, Key: 'a' }));
  assert.equal(await found.Body?.transformToString(), 'secret');
  s3.destroy();
});

test('a certificate whose files change is given to new connections without a restart', async () => {
  const { port } = new URL(installation.platform.endpoint);
  const served = async (): Promise<string> => {
    const socket = connect({ port: Number(port), host: HOST, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const text = socket.getPeerX509Certificate()?.toString().trim() ?? '';
    socket.destroy();
    return text;
  };
  const server = installation.pid('server');
  assert.equal(await served(), ca.trim());
  copyFileSync(renewed.key, live.key);
  copyFileSync(renewed.certificate, live.certificate);
  ca = readFileSync(renewed.certificate, 'utf8');
  await until('the new certificate is served', async () => (await served()) === ca.trim());
  assert.equal(installation.pid('server'), server);
});
