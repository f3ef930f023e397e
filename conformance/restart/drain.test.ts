import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { models } from '../fc/world.ts';
import { signed } from '../signing.ts';
import { Installation, until } from './installation.ts';
import { obedient, User } from './user.ts';

let house: Installation;
let user: User;
beforeEach(async () => {
  house = await Installation.serving();
  user = new User(() => house.platform);
});
afterEach(() => house.close());

const preStop = new models.InstanceLifecycleConfig({
  preStop: new models.LifecycleHook({ handler: 'index.preStop', timeout: 5 }),
});

const running = (name: string): Promise<unknown> =>
  until('it runs', async () => (await user.instances(name)).some((one) => one.inFlight === 1));

test('SIGTERM: what runs finishes, nothing new begins, hooks run, nothing is left on the host', async () => {
  await user.deploy('long', obedient('tm-long'), { instanceLifecycleConfig: preStop });
  await user.deploy('idle', obedient('tm-idle'), { instanceLifecycleConfig: preStop });
  await user.call('idle', {});
  const call = user.call('long', { id: 'last', ms: 3_000 });
  await running('long');
  const { endpoint } = house.platform;
  const end = house.end('SIGTERM');
  await until('it ends', () => house.log.some((line) => line.process === 'server' && line.message === 'ending'));
  const late = await user.call('idle', {});
  assert.ok(late.status === 0 || late.code === 'ResourceThrottled', `${late.status} ${late.code} ${late.message}`);
  const answer = await call;
  assert.deepEqual([answer.status, answer.errorType], [200, ''], answer.message);
  assert.equal((JSON.parse(answer.text) as { id: string }).id, 'last');
  const { code, ms } = await end;
  assert.equal(code, 0);
  assert.ok(ms < 10_000, `it took ${ms.toFixed(0)} ms`);
  await assert.rejects(fetch(endpoint));
  assert.deepEqual(await house.leftovers(), []);
  await house.start();
  for (const name of ['long', 'idle']) {
    const lines = (await user.facts(name)).filter((fact) => fact.type === 'output-written').map((fact) => fact.text);
    assert.ok(
      lines.some((line) => line?.includes('last words')),
      `the pre-stop hook of ${name} did not run: ${lines.join('|')}`,
    );
  }
});

test('SIGTERM does not wait for callers that never end', async () => {
  await user.deploy('eager', obedient('tm-eager'));
  const idle = await fetch(`${house.platform.endpoint}/tidemill/v1/health`);
  assert.equal(idle.status, 200);
  const { url, headers } = signed(house.platform, {
    method: 'GET',
    path: '/tidemill/v1/functions/eager/logs',
    query: { follow: 'true' },
  });
  const following = await fetch(url, { headers });
  assert.equal(following.status, 200);
  following.body?.pipeTo(new WritableStream()).catch(() => undefined); // cut or ended: it goes with the platform
  for (const task of ['one', 'two', 'three']) await user.send('eager', task, { id: task, ms: 500 });
  const { code, ms } = await house.end('SIGTERM');
  assert.equal(code, 0);
  assert.ok(ms < 10_000, `it took ${ms.toFixed(0)} ms`);
  await house.start();
  const ends = await user.ends('eager', ['one', 'two', 'three']);
  for (const [task, facts] of ends) assert.deepEqual([task, facts.length, facts[0]?.['state']], [task, 1, 'Succeeded']);
});
