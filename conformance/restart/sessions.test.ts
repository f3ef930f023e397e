import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { models } from '../fc/world.ts';
import { Installation } from './installation.ts';
import { User } from './user.ts';

let house: Installation;
let user: User;
before(async () => {
  house = await Installation.serving();
  user = new User(() => house.platform);
});
after(() => house.close());

const COUNTS = {
  'server.js': `let calls = 0;
    require('http').createServer((req, res) => res.end(String(++calls))).listen(9000);`,
};

test('sessions go on after their server was killed, on the instances they had', async () => {
  await user.deploy('sticky', COUNTS, {
    runtime: 'custom.debian12',
    customRuntimeConfig: new models.CustomRuntimeConfig({ command: ['node', 'server.js'], port: 9000 }),
    sessionAffinity: 'HEADER_FIELD',
    sessionAffinityConfig: JSON.stringify({
      affinityHeaderFieldName: 'x-session',
      sessionConcurrencyPerInstance: 1,
      disableSessionIdReuse: true,
    }),
  });
  const call = (id: string) => user.call('sticky', {}, { 'x-session': id });
  const [alice, bob] = [await call('alice'), await call('bob')];
  assert.deepEqual([alice.text, bob.text], ['1', '1'], `${alice.message} ${bob.message}`);
  await user.client.deleteSession('sticky', 'bob', new models.DeleteSessionRequest({}));
  const before = house.kill('server');
  await house.successor('server', before);
  const again = await call('alice');
  assert.deepEqual([again.text, again.instanceId], ['2', alice.instanceId], again.message);
  assert.equal((await call('bob')).code, 'InvalidSession', 'what has ended is remembered as well');
  const carol = await call('carol');
  assert.notEqual(carol.instanceId, alice.instanceId, 'the slot of the session is held');
});
