import assert from 'node:assert/strict';
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3';
import { after, before, test } from 'node:test';
import { signed } from '../signing.ts';
import { ECHO, failsWith, models, World, zipCode } from './world.ts';

let world: World;
before(async () => {
  world = await World.open();
});
after(() => world.close());

interface Document {
  readonly timestamp: number;
  readonly requestContext: {
    readonly requestId: string;
    readonly functionArn: string;
    readonly condition: string;
    readonly approximateInvokeCount: number;
  };
  readonly requestPayload: string;
  readonly responseContext: { readonly statusCode: number; readonly functionError: string };
  readonly responsePayload: string;
}

interface Letter {
  readonly number: number;
  readonly functionName: string;
  readonly kind: string;
  readonly state: string;
  readonly requestId: string;
  readonly message: string;
}

const FAILING = { 'index.js': 'exports.handler = async () => { throw new Error("no luck"); };' };

async function configure(name: string, on: 'onSuccess' | 'onFailure', destination: string): Promise<void> {
  const body = new models.PutAsyncInvokeConfigInput({
    maxAsyncRetryAttempts: 0,
    destinationConfig: new models.DestinationConfig({ [on]: new models.Destination({ destination }) }),
  });
  const put = await world.client.putAsyncInvokeConfig(name, new models.PutAsyncInvokeConfigRequest({ body }));
  assert.equal(put.body?.destinationConfig?.[on]?.destination, destination);
}

async function send(name: string, payload: string): Promise<string> {
  const answer = await world.invoke(name, payload, { headers: { 'x-fc-invocation-type': 'Async' } });
  assert.equal(answer.status, 202);
  return answer.headers['x-fc-request-id'] ?? '';
}

async function operate<T>(method: string, path: string, query: Record<string, string> = {}): Promise<T> {
  const { url, headers } = signed(world.platform, { method, path: `/tidemill/v1${path}`, query });
  const response = await fetch(url, { method, headers });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text) as T;
}

async function update(name: string, body: models.UpdateFunctionInput): Promise<void> {
  await world.client.updateFunction(name, new models.UpdateFunctionRequest({ body }));
}

const lettersOf = async (name: string): Promise<readonly Letter[]> =>
  (await operate<{ letters: readonly Letter[] }>('GET', '/dead-letters', { function: name })).letters;

test('the result of a function goes to another one, with the documented payload', async () => {
  const sink = await world.deploy('sink', {
    'index.js': 'exports.handler = async (event) => { console.log("GOT " + event.toString()); };',
  });
  const source = await world.deploy('source', ECHO);
  const arn = (await world.client.getFunction(sink, new models.GetFunctionRequest({}))).body?.functionArn ?? '';
  await configure(source, 'onSuccess', arn);
  const requestId = await send(source, 'hello');
  const [, json = ''] = await world.waitForOutput(sink, /GOT (\{.*\})/);
  const document = JSON.parse(json) as Document;
  assert.ok(Math.abs(document.timestamp - Date.now()) < 60_000);
  assert.equal(document.requestContext.requestId, requestId);
  assert.match(document.requestContext.functionArn, new RegExp(`:functions/${source}$`));
  assert.deepEqual([document.requestContext.condition, document.requestContext.approximateInvokeCount], ['', 1]);
  assert.deepEqual(document.responseContext, { statusCode: 200, functionError: '' });
  assert.deepEqual([document.requestPayload, document.responsePayload], ['hello', 'hello']);
});

test('a failure goes into a bucket', async () => {
  const bucket = `results-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
  const s3 = new S3Client({
    endpoint: world.platform.objectsEndpoint,
    region: 'local',
    forcePathStyle: true,
    credentials: { accessKeyId: world.platform.accessKeyId, secretAccessKey: world.platform.accessKeySecret },
  });
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  const source = await world.deploy('to-bucket', FAILING);
  await configure(source, 'onFailure', `acs:oss:local::${bucket}/failed`);
  const requestId = await send(source, 'hello');
  const ended = await world.waitFor(source, (fact) => fact.type === 'delivery-ended');
  assert.deepEqual([ended['state'], ended.requestId], ['Succeeded', requestId]);
  const listed = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: 'failed/' }));
  const Key = listed.Contents?.[0]?.Key ?? '';
  assert.match(Key, new RegExp(`^failed/${source}/\\d{4}-\\d\\d-\\d\\d/${requestId}-failure.json$`));
  const content = await (await s3.send(new GetObjectCommand({ Bucket: bucket, Key }))).Body?.transformToString();
  const document = JSON.parse(String(content)) as Document;
  assert.equal(document.requestContext.condition, 'UnhandledInvocationError');
  assert.equal(document.responseContext.functionError, 'UnhandledInvocationError');
  assert.match(document.responsePayload, /no luck/);
  await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
  await s3.send(new DeleteBucketCommand({ Bucket: bucket }));
  s3.destroy();
});

test('what has no target here is refused by name', async () => {
  const name = await world.deploy('refused', ECHO);
  const put = (destination: string) => configure(name, 'onSuccess', destination);
  await assert.rejects(
    put('acs:mns:local:1:/topics/t/messages'),
    failsWith('NotSupported', 400, /service 'mns'.*a bucket/s),
  );
  await assert.rejects(
    put('acs:mns:local:1:/queues/q/messages'),
    failsWith('NotSupported', 400, /service 'mns'.*a bucket/s),
  );
  await assert.rejects(put('somewhere'), failsWith('InvalidArgument', 400, /no destination/));
  await assert.rejects(put('acs:fc:local:42:functions/f'), failsWith('AccessDenied', 403, /another account/));
});

test('a webhook to this machine is not called; the result is a dead letter', async () => {
  const name = await world.deploy('inward', ECHO);
  const { port } = new URL(world.platform.endpoint);
  await configure(name, 'onSuccess', `http://127.0.0.1:${port}/tidemill/v1/health`);
  await send(name, 'x');
  await world.waitFor(name, (fact) => fact.type === 'delivery-ended' && fact['state'] === 'Failed');
  const [letter] = await lettersOf(name);
  assert.deepEqual([letter?.kind, letter?.state], ['delivery', 'Failed']);
  assert.match(letter?.message ?? '', /the platform itself/);
  assert.deepEqual(await operate('POST', '/dead-letters/delete', { function: name }), { deleted: 1 });
});

test('dead letters are found, shown, and redriven: one, and all on another version', async () => {
  const name = await world.deploy('dying', FAILING);
  const body = new models.PutAsyncInvokeConfigInput({ maxAsyncRetryAttempts: 0 });
  await world.client.putAsyncInvokeConfig(name, new models.PutAsyncInvokeConfigRequest({ body }));
  const requestIds = [await send(name, 'first'), await send(name, 'second'), await send(name, 'third')];
  let ended = 0;
  await world.waitFor(name, (fact) => fact.type === 'event-ended' && ++ended === 3);
  const letters = await lettersOf(name);
  assert.deepEqual(letters.map((letter) => letter.requestId).sort(), requestIds.sort());
  assert.ok(letters.every((letter) => letter.state === 'Failed' && /no luck/.test(letter.message)));
  const found = await operate<{ letters: readonly Letter[] }>('GET', '/dead-letters', { text: requestIds[0] ?? '' });
  const [one] = found.letters;
  assert.ok(one !== undefined && found.letters.length === 1);
  const shown = await operate<{ payload: string }>('GET', `/dead-letters/${one.number}`);
  assert.match(Buffer.from(shown.payload, 'base64').toString(), /first|second|third/);

  const metrics = await (await fetch(`${world.platform.endpoint}/tidemill/v1/metrics`)).text();
  assert.match(metrics, new RegExp(`tidemill_dead_letters\\{account="\\d+",function="${name}"\\} 3`));

  await update(name, new models.UpdateFunctionInput({ handler: 'index.other' }));
  const redriven = await operate('POST', '/dead-letters/redrive', { number: String(one.number) });
  assert.deepEqual(redriven, { redriven: 1 });
  await world.waitFor(name, (fact) => fact.type === 'event-ended' && !requestIds.includes(fact.requestId ?? ''));
  assert.equal((await lettersOf(name)).length, 3, 'index.other does not exist: it died again');

  await update(name, new models.UpdateFunctionInput({ handler: 'index.handler', code: await zipCode(ECHO) }));
  const version = await world.client.publishFunctionVersion(
    name,
    new models.PublishFunctionVersionRequest({ body: new models.PublishVersionInput({}) }),
  );
  const versionId = version.body?.versionId ?? '';
  const all = await operate('POST', '/dead-letters/redrive', { function: name, qualifier: versionId });
  assert.deepEqual(all, { redriven: 3 });
  let succeeded = 0;
  await world.waitFor(
    name,
    (fact) => fact.type === 'event-ended' && fact['state'] === 'Succeeded' && ++succeeded === 3,
  );
  assert.deepEqual(await lettersOf(name), []);
  const { queues } = await operate<{ queues: readonly unknown[] }>('GET', '/queue', { function: name });
  assert.deepEqual(queues, []);
});
