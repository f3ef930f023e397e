import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Readable } from 'node:stream';
import { blobId } from '../../../src/core/ports/blob-store.ts';
import { signedHeaders } from '../signing.ts';
import { FcModels, type FcWorld, fcWorld, viewOf } from './fc-world.ts';

let world: FcWorld;
let now = Date.now();

before(async () => {
  world = await fcWorld(
    {
      control: { functionCode: async () => viewOf().code, createFunction: async () => viewOf() },
      blobs: {
        open: async (id) =>
          id === blobId(viewOf().code)
            ? { size: 9, body: Readable.from([Buffer.from('zip-'), Buffer.from('bytes')]) }
            : undefined,
      },
    },
    () => now,
  );
});
after(() => world.close());

interface ErrorAnswer {
  readonly status: number;
  readonly requestId: string | null;
  readonly body: { readonly RequestId?: string; readonly Code?: string; readonly Message?: string };
}

async function failing(
  method: string,
  path: string,
  init: { body?: string; headers?: Record<string, string> } = {},
): Promise<ErrorAnswer> {
  const [raw = '', query = ''] = path.split('?');
  const { host: _host, ...headers } = signedHeaders({
    host: world.server.host,
    method,
    path: raw,
    query,
    ...(init.body === undefined ? {} : { body: init.body }),
  });
  const res = await fetch(world.server.url + path, {
    method,
    headers: { ...headers, ...init.headers },
    ...(init.body === undefined ? {} : { body: init.body }),
  });
  assert.match(res.headers.get('content-type') ?? '', /^application\/json/);
  return {
    status: res.status,
    requestId: res.headers.get('x-fc-request-id'),
    body: (await res.json()) as ErrorAnswer['body'],
  };
}

test('router misses, odd methods and undecodable paths answer JSON', async () => {
  for (const [method, path] of [
    ['GET', '/2023-03-30/nothing'],
    ['PATCH', '/2023-03-30/functions'],
    ['GET', '/2023-03-30/functions/%E0%A4%A'],
    ['GET', '/somewhere/else'],
    ['OPTIONS', '/2023-03-30/functions'],
  ] as const) {
    const { status, requestId, body } = await failing(method, path);
    assert.deepEqual([status, body.Code], [400, 'PathNotSupported'], path);
    assert.equal(body.RequestId, requestId);
    assert.match(body.Message ?? '', new RegExp(`^'${method}' against '.*' is not supported`));
  }
});

test('older generations of the API are refused by name', async () => {
  const { body } = await failing('GET', '/2016-08-15/tempBucketToken');
  assert.equal(body.Code, 'NotSupported');
  assert.match(body.Message ?? '', /tempBucketToken/);
});

test('unknown query parameters and bodies that are not objects are refused', async () => {
  const query = await failing('GET', '/2023-03-30/functions?color=red');
  assert.deepEqual([query.status, query.body.Code], [400, 'InvalidArgument']);
  assert.match(query.body.Message ?? '', /'color'/);
  for (const body of ['{"functionName":', '[1]', '"text"', 'null']) {
    assert.equal((await failing('POST', '/2023-03-30/functions', { body })).body.Code, 'InvalidArgument', body);
  }
  const unwanted = await failing('PUT', '/2023-03-30/layers/L/acl?acl=0', { body: '{}' });
  assert.match(unwanted.body.Message ?? '', /takes no request body/);
});

test('headers over 8 KB and paths over 4 KB are refused', async () => {
  const headers = await failing('GET', '/2023-03-30/functions', { headers: { 'x-large': 'a'.repeat(8200) } });
  assert.deepEqual([headers.status, headers.body.Code], [400, 'InvalidArgument']);
  const path = await failing('GET', `/2023-03-30/functions?prefix=${'a'.repeat(4100)}`);
  assert.deepEqual([path.status, path.body.Code], [400, 'InvalidArgument']);
});

test('GetFunctionCode gives a link that needs no signature, until it expires', async () => {
  const { body } = await world.client.getFunctionCode('f', new FcModels.GetFunctionCodeRequest({}));
  assert.equal(body?.checksum, viewOf().code.checksum);
  const url = body?.url ?? '';
  const res = await fetch(url);
  assert.equal(res.status, 200);
  assert.equal(res.headers.get('content-length'), '9');
  assert.equal(await res.text(), 'zip-bytes');
  const other = 'ef'.repeat(32);
  assert.equal((await fetch(url.replace(viewOf().code.digest, other))).status, 403);
  assert.equal((await fetch(`${url}0`)).status, 403);
  now += 11 * 60_000;
  const expired = await fetch(url);
  assert.equal(expired.status, 403);
  assert.match(((await expired.json()) as { Message: string }).Message, /expired/);
  now -= 11 * 60_000;
});
