import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { InstanceExit } from '../../../src/core/domain/instance.ts';
import { InstanceStartError, type InstanceOutput, type NodePool } from '../../../src/core/ports/node-pool.ts';
import { whyNoContainers } from '../../adapters/sandbox-oci/oci-world.ts';
import { AgentWorld, call } from './agent-world.ts';

const skip = (await whyNoContainers()) ?? false;
const NODE = { runtime: 'nodejs24', memorySize: 256, cpu: 1 };
const ECHO = {
  'index.js': `
    let calls = 0;
    console.log('loading');
    exports.handler = async (event) => String(event) + ' ' + (++calls) + ' ' + process.env.FC_INSTANCE_ID;
  `,
};

let world: AgentWorld;

before(async () => {
  if (skip === false) world = await AgentWorld.open({ poolDepth: 1, poolAlways: ['nodejs24'] });
});
after(async () => {
  if (skip === false) await world.close();
});

function exitOf(pool: NodePool, instanceId: string): Promise<InstanceExit> {
  return new Promise((resolve) => {
    pool.onExit((exit) => {
      if (exit.instanceId === instanceId) resolve(exit);
    });
  });
}

function nodeUp(pool: NodePool): Promise<void> {
  return new Promise((resolve) => {
    pool.onNodeUp(() => resolve());
  });
}

test('instances outlive a killed agent, are found again, and leave nothing when stopped', { skip }, async () => {
  await world.startAgent();
  const pool = world.nodes();
  const order = await world.order(ECHO, NODE);
  const started = await pool.start(order);
  assert.match(started.startLog, /loading/);
  const link = await world.dial(order, started);
  assert.equal(await call(link, 'one'), `one 1 ${order.instanceId}`);

  await world.endAgent('SIGKILL');
  assert.equal(await call(link, 'two'), `two 2 ${order.instanceId}`, 'it serves without an agent');
  const listing = pool.list();
  await world.startAgent();
  const [found, ...others] = await listing;
  assert.deepEqual(others, []);
  assert.deepEqual(found?.address, started.address);
  assert.deepEqual(found?.spec, order.spec);
  assert.equal(await call(link, 'three'), `three 3 ${order.instanceId}`);

  const exit = exitOf(pool, order.instanceId);
  await pool.stop(order.instanceId);
  assert.equal((await exit).reason, 'stopped');
  await link.closed;
  assert.deepEqual(await pool.list(), []);
  await pool.close();
});

test('an instance that dies while no agent is there is announced when one is back', { skip }, async () => {
  const pool = world.nodes();
  const order = await world.order(ECHO, NODE);
  await pool.start(order);
  const journals = readdirSync(join(world.runDir, 'j'));
  assert.equal(journals.length, 1);
  const sandboxId = String(journals[0]).replace('.json', '');
  await world.endAgent('SIGKILL');
  const exit = exitOf(pool, order.instanceId);
  process.kill(world.sandboxPid(sandboxId), 'SIGKILL');
  await world.startAgent();
  assert.equal((await exit).reason, 'crash');
  assert.deepEqual(await pool.list(), []);
  assert.equal(existsSync(join(world.runDir, 'i', sandboxId)), false);
  await pool.close();
});

test('load errors, early ends and full memory each name their cause', { skip }, async () => {
  const pool = world.nodes();
  await nodeUp(pool);
  const failure = async (code: string, config = {}) => {
    try {
      await pool.start(await world.order({ 'index.js': code }, { ...NODE, ...config }));
    } catch (error) {
      assert.ok(error instanceof InstanceStartError, String(error));
      return error.failure;
    }
    throw new Error('the start succeeded');
  };
  const syntax = await failure('this is no code');
  assert.equal(syntax.kind, 'load');
  assert.match(syntax.payload ?? '', /SyntaxError/);
  const exited = await failure('process.exit(3)');
  assert.equal(exited.kind, 'load');
  assert.match(
    exited.message,
    /^Process exited unexpectedly before completing request \(duration: \d+ms, maxMemoryUsage: \d+MB\)$/,
  );
  const full = await failure('const a = []; for (;;) a.push(Buffer.alloc(1e7, 1));', { memorySize: 128 });
  assert.match(full.message, /^Function instance ran out of memory/);
  const slow = await failure('exports.initialize = () => new Promise(() => {}); exports.handler = () => 1;', {
    initializer: { handler: 'index.initialize', timeout: 1 },
  });
  assert.equal(slow.kind, 'initialization');
  assert.match(slow.message, /timed out after 1 seconds/);
  assert.deepEqual(await pool.list(), []);
  await pool.close();
});

test('a custom runtime is started, answers over HTTP, and its failures speak the words of the field', {
  skip,
}, async () => {
  const pool = world.nodes();
  await nodeUp(pool);
  const custom = (command: readonly string[]) => ({
    ...NODE,
    runtime: 'custom.debian12',
    customRuntimeConfig: { command, args: [], port: 9000 },
  });
  const server = `#!/usr/bin/python3
import http.server, os
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ['FC_FUNCTION_NAME'].encode()
        self.send_response(200); self.send_header('content-length', str(len(body))); self.end_headers(); self.wfile.write(body)
print('hello from bootstrap', flush=True)
http.server.HTTPServer(('0.0.0.0', int(os.environ['FC_SERVER_PORT'])), H).serve_forever()
`;
  const order = await world.order({ bootstrap: server }, custom([]));
  const started = await pool.start(order);
  assert.equal(started.address.kind, 'http');
  if (started.address.kind !== 'http') return;
  const answer = await fetch(`http://${started.address.host}:${started.address.port}/`);
  assert.equal(await answer.text(), order.spec.functionName);
  assert.match(started.startLog, /hello from bootstrap/);
  await pool.stop(order.instanceId);

  const failure = async (files: Readonly<Record<string, string>>, command: readonly string[]) =>
    pool.start(await world.order(files, custom(command))).then(
      () => 'started',
      (error: unknown) =>
        error instanceof InstanceStartError ? `${error.failure.kind}: ${error.message}` : String(error),
    );
  assert.equal(
    await failure({ other: '' }, []),
    'not-started: Failed to start function instance. Error: the file /code/bootstrap is not exist',
  );
  assert.match(
    await failure({ bootstrap: '#!/bin/sh\necho going; exit 7\n' }, []),
    /^exited: Function instance exited unexpectedly\(code 7, message:.*\) with start command '\/code\/bootstrap '\. Logs:going\n$/,
  );
  assert.match(
    await failure({ bootstrap: '' }, ['nosuchprogram']),
    /^exited: Function instance exited unexpectedly\(code 2, message:no such file or directory\) with start command 'nosuchprogram '\. Logs:/,
  );
  await pool.close();
});

test('output between calls and exits of running instances reach the server', { skip }, async () => {
  const pool = world.nodes();
  const outputs: InstanceOutput[] = [];
  const order = await world.order(
    { 'index.js': `exports.handler = async () => { require('fs').writeSync(2, 'last words\\n'); process.exit(1); };` },
    NODE,
  );
  pool.onOutput((output) => outputs.push(output));
  const started = await pool.start(order);
  const exit = exitOf(pool, order.instanceId);
  const link = await world.dial(order, started);
  await assert.rejects(call(link, 'x'));
  const seen = await exit;
  assert.equal(seen.reason, 'crash');
  assert.equal(seen.exitCode, 1);
  assert.match(seen.lastOutput, /last words/);
  assert.match(outputs.map((output) => output.text).join('\n'), /last words/);
  await pool.close();
});

test('SIGHUP leaves instances to the next agent, SIGTERM ends them and leaves nothing on the host', {
  skip,
}, async () => {
  const pool = world.nodes();
  const order = await world.order(ECHO, NODE);
  const started = await pool.start(order);
  const link = await world.dial(order, started);
  assert.equal(await world.endAgent('SIGHUP'), 0);
  assert.equal(await call(link, 'still'), `still 1 ${order.instanceId}`);
  const listing = pool.list();
  await world.startAgent();
  assert.equal((await listing).length, 1);
  assert.equal(await world.endAgent('SIGTERM'), 0);
  await link.closed;
  assert.deepEqual(await world.leaks(), []);
  assert.deepEqual(readdirSync(world.runDir), []);
  await pool.close();
});
