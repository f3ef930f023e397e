import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { environmentOf } from '../start.ts';
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
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env['PATH'], HOME: '/nonexistent', ...environmentOf(world.platform) };
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

test('a synchronous call is replayed with the payload that its caller has', async () => {
  const code = `def handler(event, context):\n  raise ValueError('no ' + event.decode() + ' ' + context.request_id)\n`;
  const name = await world.deploy('replay-py', { 'index.py': code }, { runtime: 'python3.12' });
  const failed = await world.invoke(name, 'soup');
  const requestId = failed.headers['x-fc-request-id'] ?? '';
  const without = await replay(requestId, '--no-debug', '--function', name);
  assert.match(JSON.stringify(without.answer), /the payload of this call was not kept/);
  const again = await replay(requestId, '--no-debug', '-e', 'soup');
  assert.equal(again.code, 1);
  assert.equal(
    (JSON.parse(String(again.answer['payload'])) as { errorMessage: string }).errorMessage,
    `no soup ${requestId}`,
  );
  const unknown = await replay('1-00000000-000000000000', '--no-debug');
  assert.match(JSON.stringify(unknown.answer), /InvocationNotFound/);
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
