import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { environmentOf, type Platform, start } from '../start.ts';
import { models, World, zipCode } from './world.ts';

const PROGRAM = join(import.meta.dirname, '../../bin/tidemill.mjs');

let world: World;
before(async () => {
  world = await World.open();
});
after(() => world.close());

interface Ended {
  readonly code: number | null;
  readonly answer: Record<string, unknown>;
}

function replay(...args: readonly string[]): Promise<Ended> {
  return replayAt(world.platform, ...args);
}

function replayAt(platform: Platform, ...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env['PATH'], HOME: '/nonexistent', ...environmentOf(platform) };
    const child = spawn(process.execPath, [PROGRAM, 'replay', '--json', ...args], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    child.once('error', reject);
    child.once('close', (code) => {
      try {
        resolve({ code, answer: JSON.parse(out) as Record<string, unknown> });
      } catch {
        reject(new Error(`${out}\n${err}`));
      }
    });
  });
}

function messageIn({ answer }: Ended): string {
  return (JSON.parse(String(answer['payload'])) as { errorMessage: string }).errorMessage;
}

const BROKEN_NODE = `exports.handler = async (event, context) => {
  console.log('saw', event.toString());
  throw new Error('bad order ' + event.toString() + ' ' + context.requestId + ' ' + process.env.STAGE);
};`;
const WHOLE_NODE = `exports.handler = async (event) => 'served ' + event.toString();`;

async function publish(name: string): Promise<string> {
  const input = new models.PublishVersionInput({});
  const { body } = await world.client.publishFunctionVersion(
    name,
    new models.PublishFunctionVersionRequest({ body: input }),
  );
  return body?.versionId ?? '';
}

async function update(name: string, files: Readonly<Record<string, string>>): Promise<void> {
  const body = new models.UpdateFunctionInput({ code: await zipCode(files) });
  await world.client.updateFunction(name, new models.UpdateFunctionRequest({ body }));
}

/** Calls it asynchronously without retries and waits for its dead letter. */
async function failForGood(name: string, payload: string): Promise<string> {
  const body = new models.PutAsyncInvokeConfigInput({ maxAsyncRetryAttempts: 0 });
  await world.client.putAsyncInvokeConfig(name, new models.PutAsyncInvokeConfigRequest({ body }));
  const answer = await world.invoke(name, payload, { headers: { 'x-fc-invocation-type': 'Async' } });
  assert.equal(answer.status, 202);
  const requestId = answer.headers['x-fc-request-id'] ?? '';
  await world.waitFor(name, (fact) => fact.type === 'event-ended' && fact.requestId === requestId);
  return requestId;
}

test('a dead letter fails here as it did there, and succeeds on a version that is better', async () => {
  const name = await world.deploy('replay', { 'index.js': BROKEN_NODE }, { environmentVariables: { STAGE: 'blue' } });
  const requestId = await failForGood(name, '42');
  const again = await replay(requestId, '--no-debug');
  assert.equal(again.code, 1);
  assert.equal(again.answer['failed'], true);
  assert.equal(again.answer['configOfThen'], true);
  const then = `bad order 42 ${requestId} blue`;
  assert.equal(again.answer['errorThen'], then);
  assert.equal((JSON.parse(String(again.answer['payload'])) as { errorMessage: string }).errorMessage, then);
  assert.match(String(again.answer['log']), /saw 42/);

  // A version keeps the code that failed although LATEST goes on.
  const broken = await publish(name);
  await update(name, { 'index.js': WHOLE_NODE });
  const kept = await replay(requestId, '--no-debug');
  assert.equal(kept.answer['codeDigest'], again.answer['codeDigest']);
  assert.equal(kept.answer['configOfThen'], false);
  assert.equal(kept.code, 1);
  const whole = await publish(name);
  const better = await replay(requestId, '--version', whole);
  assert.equal(better.code, 0);
  assert.equal(better.answer['payload'], 'served 42');
  assert.equal((await replay(requestId, '--version', broken)).code, 1);

  // Nothing holds the code any more.
  await world.client.deleteFunctionVersion(name, broken);
  const gone = await replay(requestId, '--no-debug');
  assert.equal(gone.code, 1);
  assert.match(JSON.stringify(gone.answer), /ReplayNotPossible.*is gone/);
});

test('a synchronous call that failed is replayed with what it was given, or with something else', async () => {
  const code = `def handler(event, context):\n  raise ValueError('no ' + event.decode() + ' ' + context.request_id)\n`;
  const name = await world.deploy('replay-py', { 'index.py': code }, { runtime: 'python3.12' });
  const failed = await world.invoke(name, 'soup');
  const requestId = failed.headers['x-fc-request-id'] ?? '';
  const again = await replay(requestId, '--no-debug');
  assert.equal(again.code, 1);
  assert.equal(messageIn(again), `no soup ${requestId}`);
  const other = await replay(requestId, '--no-debug', '-e', 'bread');
  assert.equal(messageIn(other), `no bread ${requestId}`);

  // Longer than what is kept.
  const long = await world.invoke(name, 'x'.repeat(1_048_577));
  const without = await replay(long.headers['x-fc-request-id'] ?? '', '--no-debug', '--function', name);
  assert.match(JSON.stringify(without.answer), /the payload of this call was not kept/);

  // Nothing of a function is kept when it is gone.
  await world.client.deleteFunction(name);
  assert.match(JSON.stringify((await replay(requestId, '--no-debug')).answer), /InvocationNotFound/);
  const unknown = await replay('1-00000000-000000000000', '--no-debug');
  assert.match(JSON.stringify(unknown.answer), /InvocationNotFound/);
});

test('a task is replayed by the id of its request and by its own, an event although its retry succeeded', async () => {
  const code = `def handler(event, context):\n  raise ValueError('no ' + event.decode() + ' ' + context.request_id)\n`;
  const name = await world.deploy('replay-task', { 'index.py': code }, { runtime: 'python3.12' });
  const body = new models.PutAsyncInvokeConfigInput({
    maxAsyncRetryAttempts: 0,
    asyncTask: true,
    // What fails goes there, so that there is no dead letter to read the payload from.
    destinationConfig: new models.DestinationConfig({
      onFailure: new models.Destination({
        destination: `acs:fc:local::functions/${await world.deploy('replay-sink', { 'index.js': WHOLE_NODE })}`,
      }),
    }),
  });
  await world.client.putAsyncInvokeConfig(name, new models.PutAsyncInvokeConfigRequest({ body }));
  const taskId = `order_${process.pid}`;
  const headers = { 'x-fc-invocation-type': 'Async', 'x-fc-async-task-id': taskId };
  const accepted = await world.invoke(name, 'cake', { headers });
  assert.equal(accepted.status, 202);
  const requestId = accepted.headers['x-fc-request-id'] ?? '';
  await world.waitFor(name, (fact) => fact.type === 'event-ended' && fact.requestId === requestId);
  for (const id of [requestId, taskId]) {
    const again = await replay(id, '--no-debug', '--function', name);
    assert.equal(again.code, 1, JSON.stringify(again.answer));
    assert.equal(messageIn(again), `no cake ${requestId}`);
    assert.equal(again.answer['errorThen'], `no cake ${requestId}`);
  }

  const flaky = `exports.handler = async (event, context) => {
    if (context.retryCount === 0) throw new Error('not yet ' + event);
    return 'now ' + event;
  };`;
  const later = await world.deploy('replay-flaky', { 'index.js': flaky });
  const event = await world.invoke(later, 'tea', { headers: { 'x-fc-invocation-type': 'Async' } });
  const eventId = event.headers['x-fc-request-id'] ?? '';
  await world.waitFor(later, (fact) => fact.type === 'event-ended' && fact.requestId === eventId);
  const failing = await replay(eventId, '--no-debug');
  assert.equal(failing.answer['errorThen'], 'not yet tea');
  assert.equal(messageIn(failing), 'not yet tea');
});

test('an operator who does not want payloads kept has none on disk', async () => {
  const own = await World.open(await start({ TIDEMILL_TUNING: '{"replay":{"keepPayloads":false}}' }));
  try {
    const name = await own.deploy('replay-off', { 'index.js': BROKEN_NODE });
    const failed = await own.invoke(name, 'private');
    const requestId = failed.headers['x-fc-request-id'] ?? '';
    const without = await replayAt(own.platform, requestId, '--no-debug', '--function', name);
    assert.match(JSON.stringify(without.answer), /the payload of this call was not kept/);
    assert.equal(existsSync(join(own.platform.data ?? '', 'failed')), false);
  } finally {
    await own.close();
  }
});

test('under the debugger it waits for its user, and whoever gives up leaves nothing behind', async () => {
  const name = await world.deploy('replay-debug', { 'index.js': BROKEN_NODE });
  const failed = await world.invoke(name, 'x');
  const folder = await mkdtemp(join(tmpdir(), 'replay-test-'));
  try {
    const child = spawn(
      process.execPath,
      [PROGRAM, 'replay', failed.headers['x-fc-request-id'] ?? '', '--function', name, '-e', 'x'],
      {
        env: { PATH: process.env['PATH'], HOME: '/nonexistent', TMPDIR: folder, ...environmentOf(world.platform) },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    let text = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (!child.killed && /Debugger listening on ws:/.test(text)) child.kill('SIGINT');
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    assert.match(text, /Debugger listening on ws:\/\/127\.0\.0\.1/);
    assert.equal(code, 1);
    assert.deepEqual(readdirSync(folder), []);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
