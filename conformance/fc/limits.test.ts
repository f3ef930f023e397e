import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { failsWith, models, World } from './world.ts';

let world: World;
before(async () => {
  world = await World.open();
});
after(() => world.close());

/** Answers when its event says so. */
const WAITS = {
  'index.js':
    'exports.handler = async (e) => { await new Promise((r) => setTimeout(r, Number(e.toString()))); return e; };',
};

async function metrics(): Promise<string> {
  return (await fetch(`${world.platform.endpoint}/tidemill/v1/metrics`)).text();
}

test('beyond the reserved concurrency of a function: 429 at once, counted by reason, and in its facts', async () => {
  const name = await world.deploy('reserved', WAITS);
  const body = new models.PutConcurrencyInput({ reservedConcurrency: 1 });
  await world.client.putConcurrencyConfig(name, new models.PutConcurrencyConfigRequest({ body }));
  await world.invoke(name, '0');
  const running = world.invoke(name, '3000');
  await world.waitFor(name, (fact) => fact.type === 'instance-started');
  const refusal = failsWith(
    'ResourceExhausted',
    429,
    new RegExp(`function '${name}' uses all of its 1 reserved instances.*PutConcurrencyConfig`),
  );
  for (;;) {
    const begin = Date.now();
    // the other call may not have reached its instance yet: then this one is served
    const outcome = await world.invoke(name, '0').catch((error: unknown) => refusal(error));
    if (outcome !== true) continue;
    assert.ok(Date.now() - begin < 1_000, 'the refusal did not come at once');
    break;
  }
  assert.equal((await running).text, '3000');
  const fact = await world.waitFor(name, (each) => each['throttled'] === 'function-instances');
  assert.equal(fact['status'], 429);
  assert.match(
    await metrics(),
    new RegExp(`tidemill_throttled_total\\{[^}]*function="${name}",reason="function-instances"\\} 1`),
  );
});

test('200 calls at once on one instance of a custom runtime, each with its own answer', async () => {
  const code = {
    'server.js': `require('http').createServer((req, res) => {
      let body = '';
      req.on('data', (d) => (body += d)).on('end', () => setTimeout(() => res.end(body), body === 'warm' ? 0 : 700));
    }).listen(9000);`,
  };
  const name = await world.deploy('concurrent', code, {
    runtime: 'custom.debian12',
    instanceConcurrency: 200,
    memorySize: 512,
    cpu: 0.5,
    customRuntimeConfig: new models.CustomRuntimeConfig({ command: ['node', 'server.js'], port: 9000 }),
  });
  await world.invoke(name, 'warm');
  const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => world.invoke(name, `call ${i}`)));
  assert.deepEqual(
    answers.map(({ text }) => text),
    answers.map((_, i) => `call ${i}`),
  );
  assert.equal(new Set(answers.map(({ headers }) => headers['x-fc-instance-id'])).size, 1);
});
