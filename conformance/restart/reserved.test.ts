import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { models } from '../fc/world.ts';
import { Installation, until } from './installation.ts';
import { obedient, User } from './user.ts';

let house: Installation;
let user: User;
before(async () => {
  house = await Installation.serving();
  user = new User(() => house.platform);
});
after(() => house.close());

async function current(name: string): Promise<number | undefined> {
  const { body } = await user.client.getProvisionConfig(name, new models.GetProvisionConfigRequest({}));
  return body?.current === body?.target ? body?.current : undefined;
}

test('reserved instances outlive a killed server and a killed agent, and are counted again', async () => {
  await user.deploy('kept', obedient('tm-kept'));
  const body = new models.PutProvisionConfigInput({ defaultTarget: 2 });
  await user.client.putProvisionConfig('kept', new models.PutProvisionConfigRequest({ body }));
  await until('the target is reached', async () => (await current('kept')) === 2);
  const ids = async (): Promise<string[]> =>
    (await user.instances('kept')).map(({ instanceId }) => instanceId).toSorted();
  const before = await ids();
  assert.equal(before.length, 2);
  for (const role of ['server', 'agent'] as const) {
    await house.successor(role, house.kill(role));
    await until(`they are counted after the ${role} was killed`, async () => (await current('kept')) === 2);
    assert.deepEqual(await ids(), before);
    assert.ok(before.includes((await user.call('kept', {})).instanceId));
  }
  await user.client.deleteProvisionConfig('kept', new models.DeleteProvisionConfigRequest({}));
  await until('they are released', async () => (await ids()).length === 0);
});
