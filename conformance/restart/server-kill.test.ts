import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { models } from '../fc/world.ts';
import { alive, Installation, until } from './installation.ts';
import { obedient, User } from './user.ts';

let house: Installation;
let user: User;
before(async () => {
  house = await Installation.serving();
  user = new User(() => house.platform);
});
after(() => house.close());

const STREAM = {
  'server.js': `const http = require('http');
let streams = 0;
http.createServer(async (req, res) => {
  if (req.url !== '/stream') return res.end(process.env.FC_INSTANCE_ID + ' ' + streams);
  streams++;
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  const timer = setInterval(() => res.write('data: x\\n\\n'), 50);
  res.on('close', () => { clearInterval(timer); streams--; });
}).listen(9000, '0.0.0.0');`,
};

async function streamingFunction(name: string): Promise<string> {
  const customRuntimeConfig = new models.CustomRuntimeConfig({ command: ['node', 'server.js'], port: 9000 });
  await user.deploy(name, STREAM, {
    runtime: 'custom.debian12',
    instanceConcurrency: 10,
    customRuntimeConfig,
  });
  const body = new models.CreateTriggerInput({
    triggerName: 'web',
    triggerType: 'http',
    triggerConfig: JSON.stringify({ authType: 'anonymous', methods: ['GET'] }),
  });
  const created = await user.client.createTrigger(name, new models.CreateTriggerRequest({ body }));
  return created.body?.httpTrigger?.urlInternet?.replace(/\/$/, '') ?? '';
}

test('a killed server comes back, refuses nobody, and takes over what runs', async () => {
  await user.deploy('slow', obedient('tm-slow'));
  await user.deploy('quick', obedient('tm-quick'));
  await user.deploy('worker', obedient('tm-worker'));
  const url = await streamingFunction('streaming');
  // No spare one beside the three: the platform keeps one ready where demand climbs.
  const body = new models.PutConcurrencyInput({ reservedConcurrency: 3 });
  await user.client.putConcurrencyConfig('slow', new models.PutConcurrencyConfigRequest({ body }));
  const three = (ms: number) => Promise.all(['a', 'b', 'c'].map((id) => user.call('slow', { id, ms })));
  for (const answer of await three(300)) assert.equal(answer.status, 200, answer.message);
  assert.equal((await user.call('quick', {})).status, 200);
  const before = { slow: await user.idle('slow', 3), quick: await user.idle('quick', 1) };
  const streamer = (await (await fetch(url)).text()).split(' ')[0];

  const stream = await fetch(`${url}/stream`);
  const reader = stream.body?.getReader();
  await reader?.read();
  const tasks = Array.from({ length: 10 }, (_, i) => `queued-${i}`);
  const accepted = await Promise.all(tasks.map((id) => user.send('worker', id, { id, ms: 200 })));
  assert.deepEqual(
    accepted.map((each) => each.status),
    tasks.map(() => 202),
  );
  const cut = three(1_500);
  await until(
    'three calls run',
    async () => (await user.instances('slow')).filter((one) => one.inFlight > 0).length === 3,
  );

  const first = house.kill('server');
  await until('it is dead', () => !alive(first));
  const whileAway = await Promise.all(Array.from({ length: 10 }, (_, id) => user.callAfresh('quick', { id })));
  for (const [id, answer] of whileAway.entries()) {
    assert.equal(answer.status, 200, `a connection made while the server was away: ${answer.text}`);
    assert.equal((JSON.parse(answer.text) as { id: number }).id, id);
  }
  assert.notEqual(await house.successor('server', first), first);
  for (const answer of await cut) assert.equal(answer.status, 0, 'the connection was cut with its server');
  await assert.rejects(async () => {
    for (;;) if ((await reader?.read())?.done !== false) throw new Error('the stream ended');
  });

  assert.deepEqual(await user.idle('slow', 3), before.slow);
  const again = await three(300);
  assert.deepEqual(again.map((each) => each.instanceId).sort(), before.slow);
  // Of the first three an instance that was up early may have served two.
  const calls = again.reduce((sum, { text }) => sum + (JSON.parse(text) as { calls: number }).calls, 0);
  assert.equal(calls, 9, 'every call ran once');
  assert.ok(whileAway.some((each) => before.quick.includes(each.instanceId)));
  const starts = (await user.facts('slow')).filter((fact) => fact.type === 'instance-started');
  assert.equal(starts.length, 3, 'no cold start for what was there');
  const [id, streams] = (await (await fetch(url)).text()).split(' ');
  assert.deepEqual([id, streams], [streamer, '0'], 'the custom runtime was taken over, its stream let go');

  const ends = await user.ends('worker', tasks);
  for (const [task, facts] of ends) assert.deepEqual([task, facts.length, facts[0]?.['state']], [task, 1, 'Succeeded']);
  const [old = 0, young = 0] = house.epochs();
  assert.ok(young > old, `the epoch grows: ${old}, ${young}`);
});
