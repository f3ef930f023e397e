import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ACCOUNT, answerOf } from '../door-world.ts';
import { HttpWorld } from './http-world.ts';

const world = new HttpWorld();
before(async () => {
  await world.start();
  world.trigger('web-abc');
});
after(() => world.server.close());

test('the event of version v1', async () => {
  const { headers } = await world.call('POST', '/~web-abc/a%20b/c?k=v1&k=v2&x=%E2%9C%93&y=a+b', {
    headers: {
      'content-type': 'text/plain',
      'x-multi': ['1', '2'],
      'x-fc-secret': 'no',
      'user-agent': 'ua/1',
      connection: 'close',
    },
    body: 'héllo',
  });
  const event = world.event();
  const context = event['requestContext'] as Record<string, unknown>;
  const got = event['headers'] as Record<string, string>;
  assert.equal(event['version'], 'v1');
  assert.equal(event['rawPath'], '/a%20b/c');
  assert.deepEqual(event['queryParameters'], { k: 'v1,v2', x: '✓', y: 'a b' });
  assert.deepEqual([event['body'], event['isBase64Encoded']], ['héllo', false]);
  assert.deepEqual([got['Content-Type'], got['X-Multi'], got['User-Agent']], ['text/plain', '1,2', 'ua/1']);
  assert.equal(
    Object.keys(got).find((name) => /^(x-fc-|connection)/i.test(name)),
    undefined,
  );
  assert.equal(context['accountId'], ACCOUNT);
  assert.equal(context['domainPrefix'], 'web-abc');
  assert.equal(context['domainName'], '127.0.0.1');
  assert.equal(context['requestId'], headers['x-fc-request-id']);
  assert.match(String(context['time']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.match(String(context['timeEpoch']), /^\d{13}$/);
  assert.equal(typeof context['timeEpoch'], 'string');
  assert.deepEqual(context['http'], {
    method: 'POST',
    path: '/a b/c',
    protocol: 'HTTP/1.1',
    sourceIp: '127.0.0.1',
    userAgent: 'ua/1',
  });
});

test('text types travel as text, everything else as base64', async () => {
  const cases: [string | undefined, boolean][] = [
    ['text/html; charset=utf-8', false],
    ['application/json', false],
    ['APPLICATION/XML', false],
    ['application/ld+json', false],
    ['application/xhtml+xml', false],
    ['application/atom+xml', false],
    ['application/javascript', false],
    ['application/octet-stream', true],
    ['application/x-www-form-urlencoded', true],
    ['image/png', true],
    [undefined, true],
  ];
  for (const [type, base64] of cases) {
    await world.call('POST', '/~web-abc/', {
      body: '{"a":1}',
      ...(type === undefined ? {} : { headers: { 'content-type': type } }),
    });
    const event = world.event();
    assert.equal(event['isBase64Encoded'], base64, String(type));
    assert.equal(event['body'], base64 ? Buffer.from('{"a":1}').toString('base64') : '{"a":1}');
  }
  await world.call('GET', '/~web-abc');
  const empty = world.event();
  assert.deepEqual([empty['rawPath'], empty['body'], empty['isBase64Encoded']], ['/', '', true]);
});

async function respond(output: unknown): ReturnType<HttpWorld['call']> {
  world.reply = async () => answerOf(Buffer.from(typeof output === 'string' ? output : JSON.stringify(output)));
  return world.call('GET', '/~web-abc/');
}

test('an object with statusCode becomes the answer', async () => {
  const { status, headers, body } = await respond({
    statusCode: 201,
    headers: { 'X-Own': 'yes', 'Content-Type': 'text/html', 'X-List': ['a', 'b'], 'Set-Cookie': ['a=1', 'b=2'] },
    body: '<p>hi</p>',
  });
  assert.equal(status, 201);
  assert.equal(headers['x-own'], 'yes');
  assert.equal(headers['x-list'], 'a,b');
  assert.deepEqual(headers['set-cookie'], ['a=1', 'b=2']);
  assert.equal(headers['content-type'], 'text/html');
  assert.equal(headers['content-disposition'], 'attachment');
  assert.equal(body.toString(), '<p>hi</p>');
});

test('defaults, base64 and object bodies', async () => {
  const plain = await respond({ statusCode: 200, body: { a: 1 } });
  assert.deepEqual([plain.headers['content-type'], plain.body.toString()], ['application/json', '{"a":1}']);
  const binary = await respond({
    statusCode: 200,
    body: Buffer.from([1, 2, 255]).toString('base64'),
    isBase64Encoded: true,
  });
  assert.deepEqual([...binary.body], [1, 2, 255]);
  const broken = await respond({ statusCode: 200, body: 'not base64!', isBase64Encoded: true });
  assert.equal(broken.body.toString(), 'not base64!');
  assert.equal((await respond({ statusCode: '404' })).status, 404);
  const nothing = await respond({ statusCode: 204 });
  assert.deepEqual([nothing.status, nothing.body.length], [204, 0]);
});

test('anything else is the body of a 200', async () => {
  for (const output of ['plain text', '{"a":1}', '[{"statusCode":500}]', '', '{broken', 'null']) {
    const { status, headers, body } = await respond(output);
    assert.deepEqual([status, headers['content-type'], body.toString()], [200, 'application/json', output]);
  }
});

test('reserved response headers of the function are ignored', async () => {
  const { headers } = await respond({
    statusCode: 200,
    headers: {
      'x-fc-request-id': 'mine',
      'X-Fc-Own': 'x',
      connection: 'close',
      'content-length': '999',
      date: 'never',
      'keep-alive': 'x',
      server: 'me',
      upgrade: 'h2',
      'content-disposition': 'inline',
      'x-own': 'kept',
      'transfer-encoding': 'gzip',
    },
    body: 'hi',
  });
  assert.match(headers['x-fc-request-id'] as string, /^1-/);
  assert.deepEqual([headers['x-fc-own'], headers['server'], headers['upgrade']], [undefined, undefined, undefined]);
  assert.deepEqual(
    [headers['content-length'], headers['content-disposition'], headers['x-own']],
    ['2', 'attachment', 'kept'],
  );
  assert.notEqual(headers.date, 'never');
});

test('a function error is 502 without details', async () => {
  world.reply = async () =>
    answerOf(Buffer.from('{"errorMessage":"secret"}'), { errorType: 'UnhandledInvocationError' });
  const { status, headers, body } = await world.call('GET', '/~web-abc/');
  assert.deepEqual(
    [status, headers['content-type'], body.toString()],
    [502, 'application/json', 'Internal Server Error'],
  );
});

test('what HTTP cannot carry is BadResponse', async () => {
  const large = { 'x-large': 'a'.repeat(8200) };
  for (const output of [
    { statusCode: 200, headers: large },
    { statusCode: 99 },
    { statusCode: 'ok' },
    { statusCode: 200, headers: { 'bad name': 'x' } },
    { statusCode: 200, headers: { 'x-split': 'a\r\nSet-Cookie: b' } },
  ]) {
    const { status, body } = await respond(output);
    assert.equal(status, 502);
    assert.equal((JSON.parse(body.toString()) as { Code: string }).Code, 'BadResponse');
  }
});
