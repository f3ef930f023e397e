import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import { LIMITS } from '../../../src/core/domain/limits.ts';
import { rootLineage } from '../../../src/core/domain/lineage.ts';
import type { EventBridgeTriggerConfig, TriggerRecord, WebhookSource } from '../../../src/core/domain/trigger.ts';
import type { AsyncCommand } from '../../../src/core/ports/dispatch.ts';
import { createWebhooks } from '../../../src/services/events/index.ts';

const SECRET = 'a long secret';
const NOW = Date.parse('2026-03-01T12:00:00Z');

function trigger(source: Partial<WebhookSource>, rest: Partial<EventBridgeTriggerConfig> = {}): TriggerRecord {
  return {
    account: 'acct',
    functionName: 'f',
    triggerName: 'hook',
    triggerId: 'tid',
    qualifier: 'prod',
    description: '',
    sourceArn: '',
    invocationRole: '',
    config: {
      type: 'eventbridge',
      enable: true,
      source: { kind: 'webhook', provider: 'GitHub', secret: SECRET, events: [], ...source },
      pattern: {},
      schema: 'CloudEvents',
      domainPrefix: 'f-abc',
      ...rest,
    },
    rawConfig: '',
    createdTime: 0,
    lastModifiedTime: 0,
  };
}

async function send(
  to: TriggerRecord,
  body: string,
  headers: Readonly<Record<string, string>>,
  refuse?: Error,
): Promise<{ outcome: string; commands: AsyncCommand[] }> {
  const commands: AsyncCommand[] = [];
  const webhooks = createWebhooks({
    clock: { now: () => NOW, monotonic: () => 0, after: () => ({ dispose() {} }) },
    region: 'local',
    access: { check: () => {} },
    dispatch: {
      invokeAsync: async (command) => {
        if (refuse !== undefined) throw refuse;
        commands.push(command);
        return { taskId: command.requestId, requestId: command.requestId };
      },
    },
  });
  const outcome = await webhooks.receive({
    requestId: 'r1',
    trigger: to,
    method: 'POST',
    target: '/deploy?env=prod',
    headers: Object.entries({ 'Content-Type': 'application/json', ...headers }),
    body: Buffer.from(body),
    lineage: rootLineage('r1'),
  });
  return { outcome, commands };
}

function github(body: string, event = 'push', delivery = 'd-1'): Record<string, string> {
  const signature = createHmac('sha256', SECRET).update(body).digest('hex');
  return { 'X-GitHub-Event': event, 'X-GitHub-Delivery': delivery, 'X-Hub-Signature-256': `sha256=${signature}` };
}

const PUSH = JSON.stringify({ ref: 'refs/heads/main', commits: [] });

describe('webhooks', () => {
  it('a signed delivery becomes one CloudEvent, known by its delivery id, without what proves the sender', async () => {
    const { outcome, commands } = await send(trigger({}), PUSH, { ...github(PUSH), Authorization: 'Basic x' });
    assert.equal(outcome, 'accepted');
    const [command, ...others] = commands;
    assert.deepEqual(others, []);
    assert.ok(command);
    assert.deepEqual(
      [command.account, command.functionName, command.qualifier, command.dedupId, command.lineage],
      ['acct', 'f', 'prod', 'tid:d-1', rootLineage('r1')],
    );
    assert.deepEqual(JSON.parse(Buffer.from(command.payload).toString()), {
      id: 'd-1',
      source: 'Webhook-Function-hook',
      specversion: '1.0',
      type: 'eventbridge:Events:HTTPEvent',
      datacontenttype: 'application/json; charset=utf-8',
      subject: 'acs:fc:local:acct:functions/f/triggers/hook',
      time: '2026-03-01T12:00:00.000Z',
      aliyunaccountid: 'acct',
      aliyunpublishtime: '2026-03-01T12:00:00.000Z',
      aliyunoriginalaccountid: 'acct',
      aliyunregionid: 'local',
      data: {
        headers: { 'Content-Type': 'application/json', 'X-GitHub-Event': 'push', 'X-GitHub-Delivery': 'd-1' },
        path: '/deploy',
        body: { ref: 'refs/heads/main', commits: [] },
        httpMethod: 'POST',
        queryString: { env: 'prod' },
      },
    });
  });

  it('a wrong signature is refused before anything else is looked at', async () => {
    for (const to of [trigger({}), trigger({}, { enable: false }), trigger({ events: ['issues'] })]) {
      await assert.rejects(
        send(to, 'not json', { 'X-Hub-Signature-256': 'sha256=00' }),
        (error) => error instanceof TidemillError && error.status === 401,
      );
    }
  });

  it('GitHub may send forms; raw data is passed on as it came', async () => {
    const form = `payload=${encodeURIComponent(PUSH)}`;
    const headers = { ...github(form), 'Content-Type': 'application/x-www-form-urlencoded' };
    const [event] = (await send(trigger({}), form, headers)).commands;
    assert.deepEqual(JSON.parse(Buffer.from(event?.payload ?? '').toString()).data.body, JSON.parse(PUSH));
    const [raw] = (await send(trigger({}, { schema: 'RawData' }), form, headers)).commands;
    assert.equal(Buffer.from(raw?.payload ?? '').toString(), form);
  });

  it('the rule decides: names of events, patterns over the event, on and off', async () => {
    const main: EventBridgeTriggerConfig['pattern'] = { data: { body: { ref: ['refs/heads/main'] } } };
    const outcomes = async (to: TriggerRecord, body = PUSH): Promise<string> =>
      (await send(to, body, github(body))).outcome;
    assert.equal(await outcomes(trigger({ events: ['push', 'release'] })), 'accepted');
    assert.equal(await outcomes(trigger({ events: ['pull_request'] })), 'filtered');
    assert.equal(await outcomes(trigger({}, { pattern: main })), 'accepted');
    assert.equal(await outcomes(trigger({}, { pattern: main }), '{"ref":"refs/heads/dev"}'), 'filtered');
    assert.equal(
      await outcomes(trigger({}, { pattern: { data: { headers: { 'X-GitHub-Event': ['push'] } } } })),
      'accepted',
    );
    assert.equal(await outcomes(trigger({}, { enable: false })), 'filtered');
    const none = await send(trigger({ events: ['issues'] }), PUSH, github(PUSH));
    assert.deepEqual(none.commands, []);
  });

  it('GitLab: the name of the event is in the body, the key of the delivery before that of the chain', async () => {
    const to = trigger({ provider: 'GitLab', events: ['merge_request'] });
    const body = '{"object_kind":"merge_request"}';
    const headers = {
      'X-Gitlab-Token': SECRET,
      'X-Gitlab-Event': 'Merge Request Hook',
      'X-Gitlab-Event-UUID': 'chain',
    };
    const [by] = (await send(to, body, headers)).commands;
    assert.equal(by?.dedupId, 'tid:chain');
    const [key] = (await send(to, body, { ...headers, 'Idempotency-Key': 'one' })).commands;
    assert.equal(key?.dedupId, 'tid:one');
    assert.equal((await send(to, '{}', headers)).outcome, 'accepted');
    assert.equal((await send(to, '{}', { ...headers, 'X-Gitlab-Event': 'Push Hook' })).outcome, 'filtered');
    const event = JSON.parse(Buffer.from(key?.payload ?? '').toString());
    assert.equal(event.data.headers['X-Gitlab-Token'], undefined);
  });

  it('what cannot be an event is refused: broken JSON, more than an event may hold', async () => {
    await assert.rejects(send(trigger({}), '{', github('{')), /is announced as JSON/);
    const large = JSON.stringify({ text: 'x'.repeat(LIMITS.asyncPayloadBytes) });
    await assert.rejects(
      send(trigger({}), large, github(large)),
      (error) => error instanceof TidemillError && error.code === 'EntityTooLarge',
    );
  });

  it('what dispatch refuses the sender learns: it announces the event again', async () => {
    const error = new TidemillError('InternalServerError', 'disk full');
    await assert.rejects(send(trigger({}), PUSH, github(PUSH), error), error);
  });
});
