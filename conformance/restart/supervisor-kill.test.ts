import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { alive, Installation, until } from './installation.ts';
import { obedient, User } from './user.ts';

let house: Installation;
let user: User;
before(async () => {
  house = await Installation.serving();
  user = new User(() => house.platform);
});
after(() => house.close());

test('a second up on the same data folder is refused and says why', async () => {
  const { code, said } = await house.startAnother();
  assert.equal(code, 1);
  assert.match(said, /another tidemill is serving/);
  assert.ok(said.includes(house.data));
  assert.equal((await fetch(`${house.platform.endpoint}/tidemill/v1/health`)).status, 200);
});

test('the supervisor killed: server and agent end, instances live on, the next up takes them over', async () => {
  await user.deploy('kept', obedient('tm-kept'));
  const { instanceId } = await user.call('kept', {});
  const inner = house.sandboxed().find(({ title }) => title.startsWith('tm-kept'));
  assert.ok(inner);
  const others = [house.pid('server'), house.pid('agent')];
  await house.end('SIGKILL');
  await until('server and agent are gone', () => others.every((pid) => pid !== undefined && !alive(pid)), 20_000);
  assert.ok(alive(inner.pid), 'the instance lives on');
  await house.start();
  const answer = await user.call('kept', { id: 'again' });
  assert.deepEqual([answer.status, answer.instanceId], [200, instanceId], answer.message);
  assert.equal((JSON.parse(answer.text) as { calls: number }).calls, 2);
});

test('the supervisor killed while a call runs: the call ends well, and the next up waits its turn', async () => {
  await user.deploy('busy', obedient('tm-busy'));
  await user.call('busy', {});
  const call = user.call('busy', { id: 'running', ms: 3_000 });
  await until('it runs', async () => (await user.instances('busy')).some((one) => one.inFlight === 1));
  await house.end('SIGKILL');
  const started = house.start();
  const answer = await call;
  await started;
  assert.deepEqual([answer.status, answer.errorType], [200, ''], answer.message);
  const next = await user.call('busy', { id: 'next' });
  assert.deepEqual([next.status, next.instanceId], [200, answer.instanceId], next.message);
});

test('the supervisor killed, then SIGTERM of the next one: nothing is left on the host', async () => {
  await user.call('kept', {});
  await house.end('SIGKILL');
  await house.start();
  assert.equal((await house.end('SIGTERM')).code, 0);
  assert.deepEqual(await house.leftovers(), []);
});
