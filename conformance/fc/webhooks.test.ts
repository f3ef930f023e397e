import assert from 'node:assert/strict';
import { createHmac, randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { failsWith, type Files, models, World } from './world.ts';

let world: World;
before(async () => {
  world = await World.open();
});
after(() => world.close());

const SECRET = 'correct horse battery staple';
const LOGS: Files = {
  'index.js': `exports.handler = async (raw) => {
  const event = JSON.parse(raw);
  console.log('GOT ' + event.data.headers['X-GitHub-Event'] + event.data.headers['X-Gitlab-Event'] + ' ' + event.data.body.ref + ' ' + event.id + ' ' + raw.includes('${SECRET}') + '.');
};`,
};

function config(provider: string, more: object = {}, parameters: object = {}): string {
  return JSON.stringify({
    triggerEnable: true,
    asyncInvocationType: true,
    eventRuleFilterPattern: '{}',
    eventSourceConfig: {
      eventSourceType: 'Webhook',
      eventSourceParameters: { sourceWebhookParameters: { Provider: provider, Secret: SECRET, ...parameters } },
    },
    eventSinkConfig: { deliveryOption: { eventSchema: 'CloudEvents' } },
    ...more,
  });
}

async function hook(name: string, triggerConfig: string): Promise<string> {
  const body = new models.CreateTriggerInput({ triggerName: 'hook', triggerType: 'eventbridge', triggerConfig });
  const { body: created } = await world.client.createTrigger(name, new models.CreateTriggerRequest({ body }));
  const url = created?.httpTrigger?.urlInternet;
  assert.ok(url);
  assert.ok(!JSON.stringify(created).includes(SECRET), 'the answer does not repeat the secret');
  return url;
}

async function github(url: string, event: string, body: unknown, options: { secret?: string; id?: string } = {}) {
  const text = JSON.stringify(body);
  const signature = createHmac('sha256', options.secret ?? SECRET)
    .update(text)
    .digest('hex');
  return fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-github-event': event,
      'x-github-delivery': options.id ?? randomUUID(),
      'x-hub-signature-256': `sha256=${signature}`,
    },
    body: text,
  });
}

const outcome = async (res: Response): Promise<unknown> => ((await res.json()) as { Outcome?: string }).Outcome;

test('GitHub: 202, run once however often it is delivered, filtered by event and branch, 401 for a wrong signature', async () => {
  const name = await world.deploy('hook-github', {
    'index.js': `exports.handler = async (raw) => {
  const { id, type, data } = JSON.parse(raw);
  const names = Object.keys(data.headers).map((name) => name.toLowerCase());
  console.log(['GOT', type, data.body.ref, id, names.includes('x-github-event'), names.includes('x-hub-signature-256')].join(' ') + '.');
};`,
  });
  const pattern = JSON.stringify({ data: { body: { ref: ['refs/heads/main'] } } });
  const url = await hook(name, config('GitHub', { eventRuleFilterPattern: pattern }, { Events: ['push'] }));
  const main = { ref: 'refs/heads/main' };
  const wrong = await github(url, 'push', main, { secret: 'guess' });
  assert.equal(wrong.status, 401);
  assert.equal(((await wrong.json()) as { Code: string }).Code, 'InvalidWebhookSignature');
  assert.equal(await outcome(await github(url, 'issues', main)), 'filtered');
  assert.equal(await outcome(await github(url, 'push', { ref: 'refs/heads/dev' })), 'filtered');
  for (let n = 0; n < 3; n++) {
    const res = await github(url, 'push', main, { id: 'delivery-1' });
    assert.equal(res.status, 202);
    assert.equal(await outcome(res), 'accepted');
  }
  await github(url, 'push', main, { id: 'delivery-2' });
  const seen: string[] = [];
  for await (const fact of world.follow(name)) {
    const got = /GOT (.*)\./.exec(fact.text ?? '')?.[1];
    if (got !== undefined) seen.push(got);
    if (seen.length === 2) break;
  }
  const event = (id: string): string => `eventbridge:Events:HTTPEvent refs/heads/main ${id} true false`;
  assert.deepEqual(seen.sort(), [event('delivery-1'), event('delivery-2')]);
});

test('GitLab: secret token and signing token', async () => {
  const name = await world.deploy('hook-gitlab', LOGS);
  const url = await hook(name, config('GitLab'));
  const send = (headers: Record<string, string>, body: string) =>
    fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });
  const push = JSON.stringify({ object_kind: 'push', ref: 'refs/heads/main' });
  assert.equal((await send({ 'X-Gitlab-Token': 'guess' }, push)).status, 401);
  const plain = { 'X-Gitlab-Token': SECRET, 'X-Gitlab-Event': 'Push Hook', 'X-Gitlab-Event-UUID': 'uuid-1' };
  assert.equal((await send(plain, push)).status, 202);
  assert.match((await world.waitForOutput(name, /GOT (.*)\./))[1] ?? '', /refs\/heads\/main uuid-1 false$/);
  const key = Buffer.alloc(24, 5);
  const body = new models.UpdateTriggerInput({
    triggerConfig: config('GitLab', {}, { Secret: `whsec_${key.toString('base64')}` }),
  });
  await world.client.updateTrigger(name, 'hook', new models.UpdateTriggerRequest({ body }));
  assert.equal((await send(plain, push)).status, 401);
  const time = String(Math.floor(Date.now() / 1000));
  const mac = createHmac('sha256', key).update(`msg-9.${time}.${push}`).digest('base64');
  const signed = { 'webhook-id': 'msg-9', 'webhook-timestamp': time, 'webhook-signature': `v1,${mac}` };
  assert.equal((await send(signed, push)).status, 202);
  await world.waitForOutput(name, /GOT .* msg-9 false\./);
});

test('the secret is never shown, and stays when what is shown is sent back', async () => {
  const name = await world.deploy('hook-secret', LOGS);
  const url = await hook(name, config('GitHub'));
  const { body: read } = await world.client.getTrigger(name, 'hook');
  const listed = await world.client.listTriggers(name, new models.ListTriggersRequest({}));
  assert.ok(!JSON.stringify([read, listed.body]).includes(SECRET));
  assert.equal(read?.triggerType, 'eventbridge');
  const body = new models.UpdateTriggerInput({ triggerConfig: read?.triggerConfig ?? '' });
  const updated = await world.client.updateTrigger(name, 'hook', new models.UpdateTriggerRequest({ body }));
  assert.ok(!JSON.stringify(updated.body).includes(SECRET));
  assert.equal(updated.body?.httpTrigger?.urlInternet, url, 'the URL stays');
  assert.equal((await github(url, 'push', { ref: 'r' })).status, 202);
  await world.client.deleteTrigger(name, 'hook');
  assert.equal((await github(url, 'push', { ref: 'r' })).status, 404);
});

test('what cannot be is refused by name', async () => {
  const name = await world.deploy('hook-refused', LOGS);
  const source = (eventSourceType: string): string => config('GitHub', { eventSourceConfig: { eventSourceType } });
  await assert.rejects(hook(name, source('Kafka')), failsWith('NotSupported', 400, /Kafka/));
  await assert.rejects(
    hook(name, config('GitHub', {}, { Secret: 'short' })),
    failsWith('InvalidArgument', 400, /Secret/),
  );
});
