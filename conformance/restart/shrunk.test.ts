import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { models } from '../fc/world.ts';
import { Installation, until } from './installation.ts';
import { User } from './user.ts';

let house: Installation;
let user: User;
const tuning = process.env.TIDEMILL_TUNING;
before(async () => {
  process.env.TIDEMILL_TUNING = JSON.stringify({ scheduler: { shrinkAfterMs: 8_000 } });
  house = await Installation.serving();
  user = new User(() => house.platform);
});
after(async () => {
  if (tuning === undefined) delete process.env.TIDEMILL_TUNING;
  else process.env.TIDEMILL_TUNING = tuning;
  await house.close();
});

/** Lets go of much at its second call, which nothing collects until it is made to; and keeps what tells one life from another. */
const CODE = {
  'index.js': `let calls = 0;
let held = [];
exports.handler = async () => {
  if (++calls === 1) for (let i = 0; i < 200000; i++) held.push({ text: 'held-' + i, list: [i, i, i, i] });
  else held = undefined;
  return JSON.stringify({ calls });
};`,
};

interface Line {
  readonly instanceId: string;
  readonly pause: string;
  readonly memoryNowMb: number;
}

const lines = async (): Promise<Line[]> => (await user.instances('shrunk')) as unknown as Line[];

async function waiting(pause: string): Promise<Line> {
  return until(`the instance is ${pause}, and its memory was looked at`, async () =>
    (await lines()).find((line) => line.pause === pause && line.memoryNowMb > 1),
  );
}

async function calls(): Promise<number> {
  const { status, text } = await user.call('shrunk', {});
  assert.equal(status, 200, text);
  return (JSON.parse(text) as { calls: number }).calls;
}

test('an idle reserved instance gives memory back and answers its next call, also after server and agent were killed', {
  timeout: 180_000,
}, async () => {
  await user.deploy('shrunk', CODE, { memorySize: 256, cpu: 0.25 });
  const body = new models.PutProvisionConfigInput({ defaultTarget: 1, alwaysAllocateCPU: false });
  await user.client.putProvisionConfig('shrunk', new models.PutProvisionConfigRequest({ body }));
  await until('it is reserved', async () => (await lines()).length === 1);
  assert.deepEqual([await calls(), await calls()], [1, 2]);
  const { instanceId, memoryNowMb: before } = await waiting('frozen');
  const less = await until('less memory is charged', async () =>
    (await lines()).find((line) => line.pause === 'shrunk' && line.memoryNowMb < before * 0.8),
  );
  assert.equal(less.instanceId, instanceId);
  const metrics = await (await fetch(`${house.platform.endpoint}/tidemill/v1/metrics`)).text();
  assert.match(metrics, /^tidemill_instances_by_pause\{pause="shrunk"\} 1$/m);
  assert.match(metrics, /^tidemill_instance_memory_bytes\{pause="shrunk"\} [1-9]\d+$/m);
  assert.equal(await calls(), 3, 'the same instance, with what it had in memory');
  let expected = 3;
  for (const role of ['server', 'agent'] as const) {
    await waiting('shrunk');
    await house.successor(role, house.kill(role));
    await until('it is there again', async () => (await lines()).some((line) => line.instanceId === instanceId));
    assert.equal(await calls(), ++expected, `after the ${role} was killed`);
  }
  await waiting('shrunk');
  await user.client.deleteProvisionConfig('shrunk', new models.DeleteProvisionConfigRequest({}));
  await until('a shrunk instance can be ended', async () => (await lines()).length === 0);
});
