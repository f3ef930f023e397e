import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FunctionConfig } from '../../../src/core/domain/function.ts';
import { InstanceStartError, type StartFailure } from '../../../src/core/ports/node-pool.ts';
import { RuntimeTimeoutError } from '../../../src/core/ports/runtime-control.ts';
import { makeNode } from './fake-node.ts';
import { orderOf, settle } from './fakes.ts';

const HEALTH = {
  httpGetUrl: '/ready',
  initialDelaySeconds: 0,
  periodSeconds: 3,
  timeoutSeconds: 1,
  failureThreshold: 2,
  successThreshold: 1,
};

function custom(config: Partial<FunctionConfig> = {}, command: readonly string[] = [], args: readonly string[] = []) {
  return orderOf({
    runtime: 'custom.debian12',
    handler: 'handler',
    customRuntimeConfig: { command, args, port: 9001 },
    ...config,
  });
}

async function failureOf(starting: Promise<unknown>): Promise<StartFailure> {
  const error = await starting.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof InstanceStartError, String(error));
  return error.failure;
}

test('the start command runs in /code with the port in its environment and the code mounted', async () => {
  const { node, sandboxes } = makeNode();
  const started = await node.start(custom({}, ['node', './index.js'], ['--fast']));
  const [sandbox] = sandboxes.all.values();
  assert.deepEqual(sandbox?.spec.process.args.slice(3), ['node', './index.js', '--fast']);
  assert.equal(sandbox?.spec.process.cwd, '/code');
  assert.equal(sandbox?.spec.process.env.FC_SERVER_PORT, '9001');
  assert.deepEqual(sandbox?.spec.mounts, [{ source: '/cache/code1', target: '/code' }]);
  assert.equal(sandbox?.specialised, undefined);
  assert.deepEqual(started.address, { kind: 'http', host: sandbox?.host, port: 9001 });
});

test('a missing start file is told in the wording of the field, without making a sandbox', async () => {
  const { node, code, sandboxes } = makeNode();
  code.kinds = {};
  const failure = await failureOf(node.start(custom()));
  assert.equal(failure.kind, 'not-started');
  assert.equal(failure.message, 'Failed to start function instance. Error: the file /code/bootstrap is not exist');
  assert.equal(sandboxes.created, 0);
});

test('a start file without permission to run is error code 13', async () => {
  const { node, code } = makeNode();
  code.kinds = { bootstrap: 'file' };
  const failure = await failureOf(node.start(custom()));
  assert.equal(failure.kind, 'exited');
  assert.equal(
    failure.message,
    `Function instance exited unexpectedly(code 13, message:permission denied) with start command '/code/bootstrap '. Logs:`,
  );
});

test('a command that does not exist is error code 2, with the logs', async () => {
  const { node, sandboxes } = makeNode();
  sandboxes.behaviour.load = () => {
    for (const sandbox of sandboxes.all.values()) {
      sandbox.print('/code/bootstrap: 1: exec: nothere: not found\n');
      sandbox.die({ reason: 'crash', exitCode: 127 });
    }
    return new Promise(() => undefined);
  };
  const failure = await failureOf(node.start(custom({}, ['nothere'])));
  assert.equal(failure.kind, 'exited');
  assert.equal(
    failure.message,
    `Function instance exited unexpectedly(code 2, message:no such file or directory) with start command 'nothere '. Logs:/code/bootstrap: 1: exec: nothere: not found\n`,
  );
  assert.equal(sandboxes.all.size, 0);
});

test('a port that never opens is a failed health check after 120 seconds', async () => {
  const { node, sandboxes } = makeNode();
  sandboxes.behaviour.load = () => {
    for (const sandbox of sandboxes.all.values()) sandbox.print('listening on the wrong port\n');
    return Promise.reject(new RuntimeTimeoutError('late'));
  };
  const failure = await failureOf(node.start(custom()));
  assert.equal(failure.kind, 'not-started');
  assert.equal(
    failure.message,
    'Function instance health check failed on port 9001 in 120 seconds.\nLogs: listening on the wrong port\n',
  );
});

test('a failing initializer carries its status', async () => {
  const { node, sandboxes } = makeNode();
  sandboxes.behaviour.initialize = async () => ({ ok: false, ms: 1, status: 404 });
  const failure = await failureOf(node.start(custom({ initializer: { handler: 'on', timeout: 3 } })));
  assert.equal(failure.kind, 'initialization');
  assert.match(failure.message, /status code: 404/);
});

test('the health check after the initializer decides the start', async () => {
  const { node, sandboxes, clock } = makeNode();
  sandboxes.behaviour.health = () => ({ ok: false, detail: 'status code: 500' });
  const order = custom({ customRuntimeConfig: { command: [], args: [], port: 9001, healthCheckConfig: HEALTH } });
  const starting = failureOf(node.start(order));
  for (let round = 0; round < 5; round++) await settle();
  await clock.advance(3_000);
  const failure = await starting;
  assert.equal(failure.kind, 'not-started');
  assert.equal(
    failure.message,
    'The function http server cannot be started. check function health failed with status code: 500 ',
  );
});

test('an instance whose health check fails later is ended and announced', async () => {
  const { node, sandboxes, clock } = makeNode();
  const exits: string[] = [];
  node.onExit((exit) => exits.push(exit.reason));
  const order = custom({ customRuntimeConfig: { command: [], args: [], port: 9001, healthCheckConfig: HEALTH } });
  await node.start(order);
  await clock.advance(9_000);
  assert.deepEqual(exits, []);
  sandboxes.behaviour.health = () => ({ ok: false, detail: 'status code: 503' });
  await clock.advance(6_000);
  await settle();
  assert.deepEqual(exits, ['crash']);
  assert.equal(sandboxes.all.size, 0);
});
