import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Installation, until } from './installation.ts';
import { obedient, User } from './user.ts';

let house: Installation;
let user: User;
before(async () => {
  house = await Installation.serving();
  user = new User(() => house.platform);
});
after(() => house.close());

async function killAgent(): Promise<void> {
  await house.successor('agent', house.kill('agent'));
}

const gone = async (name: string): Promise<unknown[]> =>
  (await user.facts(name)).filter((fact) => fact.type === 'instance-gone').map((fact) => fact['reason']);

test('running calls go on, their output arrives, and instances are taken over', async () => {
  await user.deploy('talker', obedient('tm-talker'));
  const [instance] = [(await user.call('talker', {})).instanceId];
  const call = user.call('talker', { id: 'line', lines: 30, pause: 80 });
  const written = async (): Promise<string[]> =>
    (await user.facts('talker')).flatMap((fact) =>
      fact.type === 'output-written' ? (fact.text ?? '').split('\n') : [],
    );
  await until('it speaks', async () => (await written()).includes('line-2'));
  await killAgent();
  const answer = await call;
  assert.deepEqual([answer.status, answer.errorType, answer.instanceId], [200, '', instance], answer.message);
  const lines = Array.from({ length: 30 }, (_, i) => `line-${i}`);
  await until('all output is there', async () => {
    const seen = new Set(await written());
    return lines.every((line) => seen.has(line));
  });
  const doubled = (await written()).filter((line, at, all) => line.startsWith('line-') && all.indexOf(line) !== at);
  assert.deepEqual(doubled, []);
  assert.equal((await user.call('talker', {})).instanceId, instance);
  assert.deepEqual(await gone('talker'), []);
});

test('new starts work, and limits bind for old and new instances', async () => {
  await user.deploy('old', obedient('tm-old'));
  const { instanceId } = await user.call('old', {});
  await killAgent();
  await user.deploy('new', obedient('tm-new'));
  assert.equal((await user.call('new', {})).status, 200);
  const filled = await user.call('old', { fill: true });
  assert.deepEqual([filled.instanceId, filled.errorType], [instanceId, 'UnhandledInvocationError']);
  assert.match(filled.text, /FunctionOOMError/);
  assert.deepEqual(
    await until('its end is told', async () => ((await gone('old')).length > 0 ? gone('old') : undefined)),
    ['oom'],
  );
  assert.match((await user.call('new', { fill: true })).text, /FunctionOOMError/);
  const next = await user.call('old', {});
  assert.deepEqual([next.status, next.errorType, next.instanceId === instanceId], [200, '', false]);
});

test('what ends while no agent lives is told once, and replaced', async () => {
  await user.deploy('mortal', obedient('tm-mortal'));
  const { instanceId } = await user.call('mortal', {});
  const inner = house.sandboxed().find(({ title }) => title.startsWith('tm-mortal'));
  assert.ok(inner, 'the process of the instance is not to be found');
  const agent = house.kill('agent');
  process.kill(inner.pid, 'SIGKILL');
  await house.successor('agent', agent);
  const next = await user.call('mortal', {});
  assert.deepEqual([next.status, next.errorType], [200, ''], next.text + next.message);
  assert.notEqual(next.instanceId, instanceId);
  await until('the end is told', async () => (await gone('mortal')).length > 0);
  await killAgent();
  assert.equal((await user.call('mortal', {})).instanceId, next.instanceId);
  assert.equal((await gone('mortal')).length, 1);
});
