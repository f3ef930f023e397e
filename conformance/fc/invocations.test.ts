import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { signed } from '../signing.ts';
import { ECHO, failsWith, models, World } from './world.ts';

let world: World;
before(async () => {
  world = await World.open();
});
after(() => world.close());

test('payloads are bytes: any, none, large', async () => {
  const name = await world.deploy('bytes', ECHO);
  const binary = randomBytes(100_000);
  assert.deepEqual((await world.invoke(name, binary)).body, binary);
  assert.equal((await world.invoke(name, '')).body.length, 0);
  const large = randomBytes(8 * 1024 * 1024);
  assert.ok((await world.invoke(name, large)).body.equals(large));
});

test('the headers of an answer', async () => {
  const name = await world.deploy('headers', ECHO);
  const { status, headers } = await world.invoke(name, 'x', {
    headers: { 'x-fc-request-id': '1-00000000-chosen-by-me' },
  });
  const shown = await world.client.getFunction(name, new models.GetFunctionRequest({}));
  assert.equal(status, 200);
  assert.equal(headers['x-fc-request-id'], '1-00000000-chosen-by-me');
  assert.match(headers['x-fc-instance-id'] ?? '', /^c-/);
  assert.equal(headers['x-fc-code-checksum'], shown.body?.codeChecksum);
  assert.match(headers['x-fc-invocation-duration'] ?? '', /^\d+$/);
  assert.match(headers['x-fc-max-memory-usage'] ?? '', /^\d+\.\d\d$/);
  assert.ok(Number(headers['x-fc-max-memory-usage']) > 0);
  assert.equal(headers['x-fc-error-type'], undefined);
  const id = (await world.invoke(name, 'x')).headers['x-fc-request-id'];
  assert.match(id ?? '', /^1-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{12}$/);
});

test('the log tail: platform lines, own output, at most 4 KB', async () => {
  const code = {
    'index.js':
      'exports.handler = async (e) => { for (let i = 0; i < Number(e); i++) console.log("line " + i); return "done"; };',
  };
  const name = await world.deploy('tail', code);
  const tail = async (lines: number) => {
    const { headers } = await world.invoke(name, String(lines), { headers: { 'x-fc-log-type': 'Tail' } });
    return {
      id: headers['x-fc-request-id'] ?? '',
      text: Buffer.from(headers['x-fc-log-result'] ?? '', 'base64').toString(),
    };
  };
  const short = await tail(2);
  assert.ok(short.text.includes(`FC Invoke Start RequestId: ${short.id}\r\n`), short.text);
  assert.ok(short.text.includes(`FC Invoke End RequestId: ${short.id}`), short.text);
  assert.match(
    short.text,
    new RegExp(`\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d\\.\\d{3} ${short.id} \\[info\\] line 1`),
  );
  assert.match(
    short.text,
    /Duration: [\d.]+ ms, Billed Duration: \d+ ms, Memory Size: 256 MB, Max Memory Used: [\d.]+ MB/,
  );
  const long = await tail(2000);
  assert.ok(Buffer.byteLength(long.text) <= 4096 + 256);
  assert.ok(long.text.includes('line 1999') && !long.text.includes('line 1\n'));
  assert.equal((await world.invoke(name, '1')).headers['x-fc-log-result'], undefined);
});

test('async: 202 at once, runs later, one end; task ids once', async () => {
  const code = { 'index.js': 'exports.handler = async (e, c) => { console.log("got " + e + " " + c.requestId); };' };
  const name = await world.deploy('async', code);
  const accepted = await world.invoke(name, 'hello', {
    headers: { 'x-fc-invocation-type': 'Async', 'x-fc-async-task-id': 'task-1' },
  });
  assert.deepEqual([accepted.status, accepted.body.length, accepted.headers['x-fc-async-task-id']], [202, 0, 'task-1']);
  await world.waitForOutput(name, new RegExp(`got hello ${accepted.headers['x-fc-request-id']}`));
  await assert.rejects(
    world.invoke(name, 'again', { headers: { 'x-fc-invocation-type': 'Async', 'x-fc-async-task-id': 'task-1' } }),
    failsWith('AsyncTaskAlreadyExists', 409),
  );
  await assert.rejects(
    world.invoke('no-such-function', 'x', { headers: { 'x-fc-invocation-type': 'Async' } }),
    failsWith('FunctionNotFound', 404),
  );
  const start = Date.now();
  await world.invoke(name, 'delayed', { headers: { 'x-fc-invocation-type': 'Async', 'x-fc-async-delay': '2' } });
  await world.waitForOutput(name, /got delayed/);
  assert.ok(Date.now() - start >= 2000, `ran after ${Date.now() - start} ms`);
});

test('200 parallel invocations each get their own answer', async () => {
  const code = {
    'index.js': 'exports.handler = async (e) => { await new Promise((r) => setTimeout(r, e.length % 7)); return e; };',
  };
  const name = await world.deploy('parallel', code, { memorySize: 128, cpu: 0.1 });
  const payloads = Array.from({ length: 200 }, (_, i) =>
    Buffer.concat([Buffer.from(`${i}:`), randomBytes(50 + i * 3)]),
  );
  const answers = await Promise.all(payloads.map((payload) => world.invoke(name, payload)));
  for (const [i, payload] of payloads.entries()) assert.ok(answers[i]?.body.equals(payload), `answer ${i}`);
  assert.equal(new Set(answers.map(({ headers }) => headers['x-fc-request-id'])).size, 200);
});

test('a client that disconnects frees its slot', async () => {
  const code = {
    'index.js':
      'exports.handler = async (e) => { console.log("running " + e); if (String(e) === "long") await new Promise((r) => setTimeout(r, 100000)); return e; };',
  };
  const name = await world.deploy('leaver', code, { timeout: 120 });
  const config = new models.PutConcurrencyInput({ reservedConcurrency: 1 });
  await world.client.putConcurrencyConfig(name, new models.PutConcurrencyConfigRequest({ body: config }));
  const path = `/2023-03-30/functions/${name}/invocations`;
  const { url, headers } = signed(world.platform, { method: 'POST', path, body: 'long' });
  const leaving = request(url, { method: 'POST', headers });
  leaving.on('error', () => {});
  leaving.end('long');
  await world.waitForOutput(name, /running long/);
  leaving.destroy();
  await world.waitFor(name, (fact) => fact.type === 'invocation-settled' && fact['status'] === 499);
  await world.waitFor(name, (fact) => fact.type === 'instance-gone');
  assert.equal((await world.invoke(name, 'next')).text, 'next');
});
