import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { Emitter } from '../../../src/core/base/emitter.ts';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import type { Fact, InvocationSettled, OutputWritten } from '../../../src/core/domain/fact.ts';
import type { AsyncTasks } from '../../../src/core/ports/async-tasks.ts';
import type { BlobStore } from '../../../src/core/ports/blob-store.ts';
import type { Catalog } from '../../../src/core/ports/catalog.ts';
import type { DeadLetters } from '../../../src/core/ports/dead-letters.ts';
import type { Dispatch } from '../../../src/core/ports/dispatch.ts';
import type { FactLog } from '../../../src/core/ports/fact-log.ts';
import type { EventQueue } from '../../../src/core/ports/event-queue.ts';
import type { PolicySimulation, SimulatedRequest } from '../../../src/core/ports/policy-simulation.ts';
import type { Scheduling } from '../../../src/core/ports/scheduling.ts';
import { InstanceStartError, type NodePool } from '../../../src/core/ports/node-pool.ts';
import type { AccountRecord } from '../../../src/core/domain/identities.ts';
import { STANDARD_QUOTAS } from '../../../src/core/domain/quota.ts';
import { createOpsDoor, type OpsDoor } from '../../../src/doors/ops/door.ts';
import { ACCOUNT, doorBasics, partial, serve, targetOf, type TestServer } from '../door-world.ts';
import { signedHeaders } from '../signing.ts';

let server: TestServer;
let door: OpsDoor;
let warm: Dispatch['warm'];
const facts: Fact[] = [];
const simulated: (SimulatedRequest & { readonly account: string })[] = [];
const announced = new Emitter<Fact>();

const BASE = { at: 1000, account: ACCOUNT, functionName: 'f' };
const output = (text: string, rest: Partial<OutputWritten> = {}): OutputWritten => ({
  ...BASE,
  type: 'output-written',
  requestId: 'r1',
  instanceId: 'c-1',
  versionId: 'LATEST',
  text,
  ...rest,
});
const settled = (rest: Partial<InvocationSettled> = {}): InvocationSettled => ({
  ...BASE,
  type: 'invocation-settled',
  requestId: 'r1',
  qualifier: 'LATEST',
  versionId: 'LATEST',
  instanceId: 'c-1',
  invocation: 'sync',
  status: 200,
  durationMs: 7,
  billedMs: 7,
  memorySizeMb: 512,
  maxMemoryMb: 30,
  timings: { queuedMs: 0, sandboxMs: 0, runtimeMs: 0, codeMs: 0, initializerMs: 0, handlerMs: 7, cold: false },
  ...rest,
});

function append(fact: Fact): void {
  facts.push(fact);
  announced.emit(fact);
}

const log = partial<FactLog>('facts', {
  subscribe: (listener) => announced.subscribe(listener),
  latest: async ({ limit, types, requestId, since }) => ({
    facts: facts
      .filter((fact) => types === undefined || types.includes(fact.type))
      .filter((fact) => requestId === undefined || ('requestId' in fact && fact.requestId === requestId))
      .filter((fact) => since === undefined || fact.at >= since)
      .slice(-limit),
    cursor: String(facts.length),
  }),
  read: async ({ after: cursor, limit }) => {
    const from = Number(cursor);
    const page = facts.slice(from, from + limit);
    return { facts: page, cursor: String(from + page.length) };
  },
});

const ROOT_ACCOUNT: AccountRecord = {
  ...{ account: ACCOUNT, name: 'operator', status: 'active', createdAt: 0, keys: [], quotas: {} },
};

before(async () => {
  door = createOpsDoor({
    ...doorBasics(),
    dispatch: partial<Dispatch>('dispatch', {
      resolve: async (_account, name) => {
        if (name !== 'f') throw new TidemillError('FunctionNotFound', `function '${name}' does not exist`);
        return targetOf('nodejs20');
      },
      warm: (target) => warm(target),
    }),
    scheduling: partial<Scheduling>('scheduling', {
      instances: () => [],
      usage: () => ({ calls: 1, instances: 2, memoryMb: 512 }),
      pauses: () => ({
        runs: { instances: 2, memoryBytes: 200 },
        frozen: { instances: 1, memoryBytes: 90 },
        shrunk: { instances: 0, memoryBytes: 0 },
      }),
    }),
    accounts: { isOperator: () => false, list: () => [{ ...ROOT_ACCOUNT }] },
    quotas: { of: () => STANDARD_QUOTAS },
    objects: { usage: async () => ({ objects: 3, objectBytes: 4 }) },
    audit: { read: async () => [], verify: async () => ({ sound: true, from: 1, to: 0 }) },
    facts: log,
    nodes: partial<NodePool>('nodes', {
      nodes: () => [
        { nodeId: 'n1', zone: 'z', cpu: 2, memoryMb: 100, memoryUsedMb: 1, instances: 3, pooled: { nodejs24: 2 } },
      ],
    }),
    simulation: partial<PolicySimulation>('simulation', {
      simulate: (account, request) => {
        simulated.push({ account, ...request });
        return { decision: { effect: 'implicit-deny', reason: 'no policy allows it' }, considered: [] };
      },
    }),
    tasks: partial<AsyncTasks>('tasks', {}),
    catalog: partial<Catalog>('catalog', {}),
    blobs: partial<BlobStore>('blobs', {}),
    failed: undefined,
    queue: partial<EventQueue>('queue', {
      depth: async () => ({ waiting: 4, leased: 1, oldestAcceptedAt: undefined }),
      depths: async () => [
        { key: 'acc/f', waiting: 3, leased: 1, oldestAcceptedAt: 0 },
        { key: 'acc/f#deliveries', waiting: 1, leased: 0, oldestAcceptedAt: undefined },
      ],
    }),
    letters: partial<DeadLetters>('letters', {
      counts: async () => [{ account: ACCOUNT, functionName: 'f', count: 2 }],
    }),
    version: '0.1.0',
  });
  server = await serve(door.handle);
});
after(() => {
  door.dispose();
  return server.close();
});

function headersFor(method: string, path: string, query = ''): Record<string, string> {
  const { host: _host, ...headers } = signedHeaders({ host: server.host, method, path, query });
  return headers;
}

async function call(method: string, path: string, query = ''): Promise<Response> {
  const url = `${server.url}${path}${query === '' ? '' : `?${query}`}`;
  return fetch(url, { method, headers: headersFor(method, path, query) });
}

test('health and metrics need no signature here, everything else does', async () => {
  assert.deepEqual(await (await fetch(`${server.url}/tidemill/v1/health`)).json(), { ok: true, version: '0.1.0' });
  assert.equal((await fetch(`${server.url}/tidemill/v1/metrics`)).status, 200);
  assert.equal((await fetch(`${server.url}/tidemill/v1/functions/f/instances`)).status, 403);
  assert.equal((await call('GET', '/tidemill/v1/functions/f/instances')).status, 200);
  assert.equal((await call('GET', '/tidemill/v1/functions/nope/instances')).status, 404);
  assert.equal((await call('GET', '/tidemill/v1/else')).status, 400);
});

test('metrics fold facts', async () => {
  append(settled({ durationMs: 7, timings: { ...settled().timings, cold: true } }));
  append(settled({ durationMs: 700, invocation: 'async', errorType: 'UnhandledInvocationError' }));
  append(settled({ functionName: 'quo"te', status: 429 }));
  const delivery = { requestId: 'r1', taskId: 'r1', destination: 'https://a.example/', attempts: 1, message: '' };
  append({ ...BASE, type: 'delivery-ended', state: 'Failed', ...delivery });
  const text = await (await fetch(`${server.url}/tidemill/v1/metrics`)).text();
  const label = `account="${ACCOUNT}",function="f"`;
  for (const line of [
    `tidemill_invocations_total{${label},type="sync"} 1`,
    `tidemill_invocations_total{${label},type="async"} 1`,
    `tidemill_invocation_errors_total{${label},code="UnhandledInvocationError"} 1`,
    `tidemill_invocation_errors_total{account="${ACCOUNT}",function="quo\\"te",code="429"} 1`,
    `tidemill_cold_starts_total{${label}} 1`,
    'tidemill_invocation_duration_seconds_bucket{le="0.01"} 2',
    'tidemill_invocation_duration_seconds_bucket{le="1"} 3',
    'tidemill_invocation_duration_seconds_count 3',
    'tidemill_instances{node="n1",zone="z"} 3',
    'tidemill_pool_ready{runtime="nodejs24"} 2',
    'tidemill_queue_depth{state="waiting"} 4',
    'tidemill_function_queue_depth{account="acc",function="f",state="waiting"} 3',
    'tidemill_function_queue_depth{account="acc",function="f#deliveries",state="waiting"} 1',
    'tidemill_function_queue_age_seconds{account="acc",function="f#deliveries"} 0',
    `tidemill_dead_letters{${label}} 2`,
    `tidemill_account_used{account="${ACCOUNT}",quota="memoryMb"} 512`,
    `tidemill_account_quota{account="${ACCOUNT}",quota="calls"} ${STANDARD_QUOTAS.calls}`,
    'tidemill_deliveries_ended_total{state="Failed"} 1',
  ]) {
    assert.ok(text.split('\n').includes(line), `${line}\nis not in\n${text}`);
  }
});

test('logs: newest facts as NDJSON, filtered', async () => {
  facts.length = 0;
  for (let i = 0; i < 5; i++) append(output(`line ${i}`, { at: 1000 + i, requestId: `r${i}` }));
  const lines = async (query: string): Promise<string[]> => {
    const res = await call('GET', '/tidemill/v1/functions/f/logs', query);
    assert.equal(res.headers.get('content-type'), 'application/x-ndjson');
    return (await res.text())
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as OutputWritten).text);
  };
  assert.deepEqual(await lines('limit=2'), ['line 3', 'line 4']);
  assert.deepEqual(await lines('requestId=r1'), ['line 1']);
  assert.deepEqual(await lines('since=1003'), ['line 3', 'line 4']);
  assert.equal((await call('GET', '/tidemill/v1/functions/f/logs', 'limit=x')).status, 400);
  assert.equal((await call('GET', '/tidemill/v1/functions/f/logs', 'colour=x')).status, 400);
});

test('follow stays open, gives every fact once, and lets go when the client leaves', async () => {
  facts.length = 0;
  append(output('before'));
  const listeners = announced.size;
  const path = '/tidemill/v1/functions/f/logs';
  const got: string[] = [];
  const closed = new Promise<void>((resolve, reject) => {
    const req = request(
      `${server.url}${path}?follow=true`,
      { headers: headersFor('GET', path, 'follow=true') },
      (res) => {
        res.setEncoding('utf8');
        let rest = '';
        res.on('data', (chunk: string) => {
          const lines = (rest + chunk).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines) got.push((JSON.parse(line) as OutputWritten).text);
          if (got.length === 1) {
            append(output('one'));
            append(output('other function', { functionName: 'g' }));
          }
          if (got.includes('one') && facts.length < 4) append(output('two'));
          if (got.at(-1) === 'two') req.destroy();
        });
        res.on('error', () => resolve());
      },
    );
    req.on('error', reject).end();
  });
  await closed;
  assert.deepEqual(
    got.filter((text) => text !== 'other function'),
    ['before', 'one', 'two'],
  );
  while (announced.size > listeners) await new Promise((resolve) => setImmediate(resolve));
});

test('invocations and warm', async () => {
  facts.length = 0;
  append(output('x'));
  append(settled({ requestId: 'r9' }));
  const { invocations } = (await (await call('GET', '/tidemill/v1/functions/f/invocations')).json()) as {
    invocations: Fact[];
  };
  assert.deepEqual(
    invocations.map((fact) => 'requestId' in fact && fact.requestId),
    ['r9'],
  );
  warm = async () => ({ instanceId: 'c-7', startLog: 'hello' });
  assert.deepEqual(await (await call('POST', '/tidemill/v1/functions/f/warm')).json(), {
    ok: true,
    instanceId: 'c-7',
    startLog: 'hello',
  });
  warm = async () => {
    throw new InstanceStartError({
      kind: 'load',
      message: 'no',
      payload: '{"errorMessage":"bad","errorType":"SyntaxError"}',
      startLog: 'l',
    });
  };
  assert.deepEqual(await (await call('POST', '/tidemill/v1/functions/f/warm')).json(), {
    ok: false,
    kind: 'load',
    message: 'no',
    startLog: 'l',
    error: { errorMessage: 'bad', errorType: 'SyntaxError' },
  });
});

test('a simulation is asked as it was sent, and its refusals name the member', async () => {
  const simulate = async (body: unknown): Promise<readonly [number, string]> => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const path = '/tidemill/v1/policy/simulate';
    const { host: _host, ...headers } = signedHeaders({ host: server.host, method: 'POST', path, body: text });
    const response = await fetch(`${server.url}${path}`, { method: 'POST', headers, body: text });
    return [response.status, await response.text()];
  };
  const asked = { action: 'fc:InvokeFunction', resource: 'acs:fc:local:1:functions/f' };
  const policies = [{ name: 'p', document: '{}' }];
  const [status, answer] = await simulate({ ...asked, policies, context: { 'acs:SourceIp': '10.0.0.1' } });
  assert.deepEqual(
    [status, JSON.parse(answer)],
    [200, { effect: 'implicit-deny', reason: 'no policy allows it', considered: [] }],
  );
  assert.deepEqual(simulated, [
    {
      account: ACCOUNT,
      ...asked,
      principal: undefined,
      session: undefined,
      policies,
      context: { 'acs:SourceIp': '10.0.0.1' },
    },
  ]);
  for (const [body, named] of [
    ['{', /not a JSON object/],
    [[], /not a JSON object/],
    [{ ...asked, extra: 1 }, /'extra' is unknown/],
    [{ ...asked, action: 'Invoke' }, /'action' must be of the form/],
    [{ ...asked, action: 'fc:*' }, /'action' must be of the form/],
    [{ ...asked, resource: '*' }, /'resource' must be of the form/],
    [{ ...asked, principal: 5 }, /'principal' must be a string/],
    [{ ...asked, policies: [{ name: 'p' }] }, /'policies' must be a list/],
    [{ ...asked, context: { a: 1 } }, /'context.a' must be a string/],
  ] as const) {
    const [refused, message] = await simulate(body);
    assert.deepEqual([refused, named.test(message)], [400, true], message);
  }
});
