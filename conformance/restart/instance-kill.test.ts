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

/** The function's own process, or the first process of its sandbox. */
async function processOf(title: string, which: 'function' | 'first'): Promise<number> {
  return until(`the process ${title}`, () => {
    const all = house.sandboxed();
    const own = all.find((each) => each.title.startsWith(title));
    if (own === undefined || which === 'function') return own?.pid;
    return all.find((each) => each.inner === 1 && sameSandbox(each.pid, own.pid))?.pid;
  });
}

function sameSandbox(one: number, other: number): boolean {
  return house.sandboxOf(one) === house.sandboxOf(other);
}

for (const which of ['function', 'first'] as const) {
  test(`the ${which} process killed: the call fails as the function's fault, the next one gets a new instance`, async () => {
    const name = `sync-${which}`;
    await user.deploy(name, obedient(`tm-${name}`));
    const { instanceId } = await user.call(name, {});
    const call = user.call(name, { ms: 10_000 });
    await until('it runs', async () => (await user.instances(name)).some((one) => one.inFlight === 1));
    process.kill(await processOf(`tm-${name}`, which), 'SIGKILL');
    const failed = await call;
    assert.deepEqual([failed.status, failed.errorType], [200, 'UnhandledInvocationError'], failed.message);
    assert.match(failed.text, /exited unexpectedly/);
    const next = await user.call(name, {});
    assert.deepEqual([next.status, next.errorType], [200, '']);
    assert.notEqual(next.instanceId, instanceId);
  });

  test(`the ${which} process of an idle instance killed: the next call does not notice`, async () => {
    const name = `idle-${which}`;
    await user.deploy(name, obedient(`tm-${name}`));
    const { instanceId } = await user.call(name, {});
    process.kill(await processOf(`tm-${name}`, which), 'SIGKILL');
    await until('it is gone', async () => (await user.instances(name)).every((one) => one.instanceId !== instanceId));
    assert.deepEqual((await user.call(name, {})).errorType, '');
  });

  test(`the ${which} process killed: an event runs again and ends once`, async () => {
    const name = `async-${which}`;
    await user.deploy(name, obedient(`tm-${name}`));
    assert.equal((await user.send(name, 'event', { id: 'event', ms: 10_000 })).status, 202);
    await until('it runs', async () => (await user.instances(name)).some((one) => one.inFlight === 1));
    process.kill(await processOf(`tm-${name}`, which), 'SIGKILL');
    const ends = (await user.ends(name, ['event'])).get('event') ?? [];
    assert.deepEqual(
      ends.map((fact) => [fact['state'], fact['attempts']]),
      [['Succeeded', 2]],
    );
    const runs = (await user.facts(name)).filter((fact) => fact.type === 'invocation-settled');
    assert.deepEqual(
      runs.map((fact) => fact['errorType'] ?? ''),
      ['UnhandledInvocationError', ''],
    );
  });
}
