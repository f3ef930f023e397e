import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { models } from '../fc/world.ts';
import { alive, Installation, until } from './installation.ts';
import { User } from './user.ts';

/** What the webhook took: how often each delivery came, by its id. */
const taken = new Map<string, number>();
/** How the webhook answers. */
let status = 200;
let hook: Server;
let url: string;
let house: Installation;
let user: User;

before(async () => {
  hook = createServer((req, res) => {
    req.resume();
    req.on('end', () => {
      const id = String(req.headers['x-tidemill-delivery-id']);
      if (status === 200) taken.set(id, (taken.get(id) ?? 0) + 1);
      res.writeHead(status);
      res.end();
    });
  });
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/hook`;
  process.env.TIDEMILL_TUNING = JSON.stringify({ webhooks: { allow: ['127.0.0.1'] } });
  house = await Installation.serving();
  user = new User(() => house.platform);
});
after(async () => {
  await house.close();
  hook.closeAllConnections();
  await new Promise((resolve) => hook.close(resolve));
});

async function configure(name: string, settings: ConstructorParameters<typeof models.PutAsyncInvokeConfigInput>[0]) {
  const body = new models.PutAsyncInvokeConfigInput(settings);
  await user.client.putAsyncInvokeConfig(name, new models.PutAsyncInvokeConfigRequest({ body }));
}

const toHook = () => new models.DestinationConfig({ onSuccess: new models.Destination({ destination: url }) });

const WORKER = {
  'index.js': `exports.handler = async (event) => {
    const { ms } = JSON.parse(event.toString());
    const began = Date.now();
    await new Promise((resolve) => setTimeout(resolve, ms));
    return String(began);
  };`,
};

test('servers killed while events run and results are delivered: one end each, every result taken', async () => {
  await user.deploy('deliverer', WORKER);
  await configure('deliverer', { asyncTask: true, destinationConfig: toHook() });
  const ids = Array.from({ length: 60 }, (_, n) => `job-${n}`);
  const requests = new Map<string, string>();
  for (const id of ids) {
    const answer = await user.send('deliverer', id, { ms: 60 });
    assert.equal(answer.status, 202);
  }
  for (let kill = 0; kill < 3; kill++) {
    const seen = taken.size;
    await until('another delivery was taken', () => taken.size > seen || taken.size >= ids.length);
    const server = house.kill('server');
    await until('it is dead', () => !alive(server));
    await house.successor('server', server);
  }
  const ends = await user.ends('deliverer', ids);
  for (const id of ids) {
    assert.equal(ends.get(id)?.length, 1, `${id} has one end`);
    assert.equal(ends.get(id)?.[0]?.['state'], 'Succeeded');
    requests.set(id, String(ends.get(id)?.[0]?.requestId));
  }
  await until('every result was taken', () => [...requests.values()].every((id) => taken.has(`${id}-success`)));
  assert.equal(taken.size, ids.length, 'nothing was delivered that did not run');
  const delivered = await until('every delivery has its end', async () => {
    const facts = (await user.facts('deliverer')).filter((fact) => fact.type === 'delivery-ended');
    return facts.length >= ids.length ? facts : undefined;
  });
  assert.deepEqual(new Set(delivered.map((fact) => fact.requestId)).size, delivered.length, 'one end each');
  const { body } = await user.client.getAsyncTask('deliverer', 'job-0', new models.GetAsyncTaskRequest({}));
  assert.deepEqual([body?.status, body?.destinationStatus], ['Succeeded', 'Succeeded']);
});

test('a call that outlives its server is not run a second time beside itself', async () => {
  await user.deploy('long', WORKER, { timeout: 60 });
  await configure('long', { asyncTask: true });
  await user.send('long', 'once', { ms: 6_000 });
  const get = async () => (await user.client.getAsyncTask('long', 'once', new models.GetAsyncTaskRequest({}))).body;
  await until('it runs', async () => (await get())?.status === 'Running');
  const began = (await get())?.events?.find((event) => event.status === 'Running')?.timestamp ?? 0;
  const server = house.kill('server');
  await until('it is dead', () => !alive(server));
  await house.successor('server', server);
  const ends = await user.ends('long', ['once']);
  assert.equal(ends.get('once')?.length, 1);
  const again = Number((await get())?.returnPayload);
  assert.ok(again - began >= 5_900, `the second run began ${again - began} ms after the first, which takes 6000`);
  assert.ok(again - began < 20_000, `the second run began only ${again - began} ms after the first`);
});

const CUSTOM = {
  'server.js': `process.title = 'tm-custom';
    let others = 0;
    require('http').createServer(async (req, res) => {
      let text = '';
      for await (const chunk of req) text += chunk;
      const answer = JSON.stringify({ others: others++, pid: process.pid });
      await new Promise((resolve) => setTimeout(resolve, JSON.parse(text).ms));
      others--;
      res.end(answer);
    }).listen(9000, '0.0.0.0');`,
};

test('a custom runtime cannot say what it works on: what a killed server left there is ended before the next run', async () => {
  const customRuntimeConfig = new models.CustomRuntimeConfig({ command: ['node', 'server.js'], port: 9000 });
  await user.deploy('mute', CUSTOM, { runtime: 'custom.debian12', timeout: 60, customRuntimeConfig });
  await configure('mute', { asyncTask: true });
  const get = async () => (await user.client.getAsyncTask('mute', 'once', new models.GetAsyncTaskRequest({}))).body;
  const runs = async () => (await get())?.events?.filter((event) => event.status === 'Running').length ?? 0;
  await user.send('mute', 'once', { ms: 4_000 });
  await until('it runs', async () => (await runs()) === 1);
  const first = house.sandboxed().find(({ title }) => title.startsWith('tm-custom'));
  assert.ok(first);
  const server = house.kill('server');
  await until('it is dead', () => !alive(server));
  await house.successor('server', server);
  await until('it runs again', async () => (await runs()) === 2);
  assert.equal(alive(first.pid), false, 'the first run is over when the second begins');
  const ends = await user.ends('mute', ['once']);
  assert.deepEqual(
    ends.get('once')?.map((end) => end['state']),
    ['Succeeded'],
  );
  const { others } = JSON.parse((await get())?.returnPayload ?? '') as { others: number };
  assert.equal(others, 0, 'nothing else ran in its process');
});

test('a back-off that is under way goes on after a kill, and a refusal is a dead letter then', async () => {
  await user.deploy('refused', WORKER);
  await configure('refused', { destinationConfig: toHook() });
  status = 503;
  assert.equal((await user.send('refused', 'one', { ms: 1 })).status, 202);
  await user.ends('refused', ['one']);
  await house.killAll();
  status = 404;
  await house.start();
  const [ended] = await until('the delivery has its end', async () => {
    const facts = (await user.facts('refused')).filter((fact) => fact.type === 'delivery-ended');
    return facts.length > 0 ? facts : undefined;
  });
  status = 200;
  assert.equal(ended?.['state'], 'Failed');
});
