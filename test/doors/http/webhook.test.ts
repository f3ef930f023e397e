import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import { LIMITS } from '../../../src/core/domain/limits.ts';
import { HttpWorld } from './http-world.ts';

let world: HttpWorld;
before(async () => {
  world = await new HttpWorld().start();
  world.triggers.set('hook-abc', {
    type: 'eventbridge',
    enable: true,
    source: { kind: 'webhook', provider: 'GitHub', secret: 'a long secret', events: [] },
    pattern: {},
    schema: 'CloudEvents',
    domainPrefix: 'hook-abc',
  });
});
after(() => world.server.close());

test('the exact bytes and headers go on; 202 says what became of it', async () => {
  const body = '{ "a" : 1 }\n';
  const answer = await world.call('POST', '/~hook-abc/deploy?x=1', {
    headers: { 'X-Hub-Signature-256': 'sha256=1', 'Content-Type': 'application/json' },
    body,
  });
  assert.equal(answer.status, 202);
  const said = JSON.parse(answer.body.toString()) as Record<string, string>;
  assert.deepEqual(said, { RequestId: answer.headers['x-fc-request-id'], Outcome: 'accepted' });
  assert.equal(Buffer.from(world.webhook?.body ?? '').toString(), body);
  assert.equal(world.webhook?.target, '/deploy?x=1');
  assert.deepEqual(world.webhook?.lineage, { hops: 0, rootRequestId: said['RequestId'] });
  assert.ok(world.webhook?.headers.some(([name, value]) => name === 'X-Hub-Signature-256' && value === 'sha256=1'));
});

test('hops that the sender tells are counted', async () => {
  await world.call('POST', '/~hook-abc/', { headers: { 'x-tidemill-hops': '7' }, body: 'x' });
  assert.deepEqual([world.webhook?.lineage.hops, world.webhook?.lineage.cause], [7, 'webhook']);
});

test('only POST, only so much, and a wrong signature is 401', async () => {
  assert.equal((await world.call('GET', '/~hook-abc/')).status, 405);
  const large = await world.call('POST', '/~hook-abc/', { body: Buffer.alloc(LIMITS.webhookBodyBytes + 1) });
  assert.equal(large.status, 400);
  assert.match(large.body.toString(), /EntityTooLarge/);
  world.receive = async () => {
    throw new TidemillError('InvalidWebhookSignature', 'X-Hub-Signature-256 does not fit the body and the secret');
  };
  const refused = await world.call('POST', '/~hook-abc/', { body: 'x' });
  assert.equal(refused.status, 401);
  assert.match(refused.body.toString(), /InvalidWebhookSignature/);
});
