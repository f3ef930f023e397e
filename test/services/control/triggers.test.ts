import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ErrorCode } from '../../../src/core/domain/errors.ts';
import { newDomainPrefix } from '../../../src/services/control/triggers.ts';
import { OBJECT_EVENTS, ossOverlap } from '../../../src/services/control/trigger-config.ts';
import { ACCOUNT, functionInput, startWorld, TestRandom } from './memory-world.ts';
import { refused } from './refusal.ts';

const SOURCE = 'acs:oss:local:1234567890123456:media';

async function start() {
  const started = await startWorld();
  started.world.objects.set('media/x', Buffer.from('x'));
  await started.control.createFunction(ACCOUNT, await functionInput('f'));
  await started.control.publishVersion(ACCOUNT, 'f', {});
  await started.control.createAlias(ACCOUNT, 'f', { aliasName: 'prod', versionId: '1' });
  return started;
}

function http(extra: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return config('http', { authType: 'anonymous', methods: ['GET'], ...extra });
}

function oss(
  key: Readonly<Record<string, unknown>> = {},
  extra: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  return { ...config('oss', { events: ['oss:ObjectCreated:*'], filter: { key }, ...extra }), sourceArn: SOURCE };
}

function timer(extra: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return config('timer', { cronExpression: '@every 5m', enable: true, ...extra });
}

function config(triggerType: string, triggerConfig: unknown): Record<string, unknown> {
  return { triggerName: 't', triggerType, triggerConfig: JSON.stringify(triggerConfig) };
}

const wrong: readonly (readonly [Record<string, unknown>, ErrorCode, RegExp])[] = [
  [{ ...http(), triggerName: undefined }, 'InvalidArgument', /^triggerName is required/],
  [{ ...http(), triggerName: '1' }, 'InvalidArgument', /^triggerName must/],
  [{ ...http(), triggerType: undefined }, 'InvalidArgument', /^triggerType is required/],
  [
    { ...http(), triggerType: 'webhook' },
    'InvalidArgument',
    /^triggerType must be one of http, oss, timer, eventbridge/,
  ],
  [{ ...http(), triggerType: 'mns_topic' }, 'NotSupported', /'mns_topic'/],
  [{ ...http(), triggerConfig: undefined }, 'InvalidArgument', /^triggerConfig is required/],
  [{ ...http(), triggerConfig: '{' }, 'InvalidArgument', /^triggerConfig is not valid JSON/],
  [{ ...http(), triggerConfig: '[]' }, 'InvalidArgument', /^triggerConfig must be a JSON object/],
  [{ ...http(), description: 'x'.repeat(257) }, 'InvalidArgument', /^description/],
  [{ ...http(), qualifier: '7' }, 'VersionNotFound', /'7'/],
  [{ ...http(), qualifier: 'nope' }, 'AliasNotFound', /'nope'/],
  [{ ...http(), other: 1 }, 'NotSupported', /'other'/],
  [http({ methods: undefined }), 'InvalidArgument', /^triggerConfig\.methods is required/],
  [http({ methods: ['FETCH'] }), 'InvalidArgument', /^triggerConfig\.methods has "FETCH"/],
  [http({ authType: 'jwt' }), 'InvalidArgument', /^triggerConfig\.authConfig is required/],
  [http({ authType: 'basic', authConfig: '{' }), 'InvalidArgument', /authConfig is not valid JSON/],
  [http({ authType: 'bearer', authConfig: {} }), 'InvalidArgument', /^triggerConfig\.authConfig is required/],
  [http({ authType: 'x' }), 'InvalidArgument', /^triggerConfig\.authType must be one of/],
  [http({ corsConfig: { maxAge: 5 } }), 'NotSupported', /'triggerConfig\.corsConfig'/],
  [http({ authConfig: '{"a":1}' }), 'NotSupported', /'triggerConfig\.authConfig'/],
  [http({ surprise: true }), 'NotSupported', /'triggerConfig\.surprise'/],
  [timer({ cronExpression: '' }), 'InvalidArgument', /^triggerConfig\.cronExpression is required/],
  [timer({ cronExpression: '* * * * *' }), 'InvalidArgument', /^triggerConfig\.cronExpression "\* \* \* \* \*": /],
  [timer({ cronExpression: '@every 5s' }), 'InvalidArgument', /cronExpression/],
  [timer({ enable: 'yes' }), 'InvalidArgument', /^triggerConfig\.enable/],
  [timer({ payload: 5 }), 'InvalidArgument', /^triggerConfig\.payload must be a string/],
  [timer({ payload: 'x'.repeat(131_073) }), 'InvalidArgument', /^triggerConfig\.payload is 131073 bytes/],
  [{ ...oss(), sourceArn: '' }, 'InvalidArgument', /^sourceArn is required/],
  [{ ...oss(), sourceArn: 'media' }, 'InvalidArgument', /^sourceArn must have the form/],
  [{ ...oss(), sourceArn: 'acs:oss:local:1:nothere' }, 'InvalidArgument', /bucket 'nothere', which does not exist/],
  [oss({ prefix: '/in' }), 'InvalidArgument', /prefix must not start with '\/'/],
  [oss({}, { events: [] }), 'InvalidArgument', /^triggerConfig\.events is required/],
  [oss({}, { events: ['ObjectCreated:*'] }), 'InvalidArgument', /unknown event/],
  [oss({}, { events: ['oss:ObjectCreated:AppendObject'] }), 'NotSupported', /'oss:ObjectCreated:AppendObject'/],
  [oss({ regex: 'x' }), 'NotSupported', /'triggerConfig\.filter\.key\.regex'/],
  [hook({ Secret: '' }), 'InvalidArgument', /Secret is required/],
  [hook({ Secret: 'short' }), 'InvalidArgument', /Secret must have at least 8 characters/],
  [hook({ Secret: '******' }), 'InvalidArgument', /Secret must have at least 8 characters/],
  [hook({ Provider: 'Gitea' }), 'InvalidArgument', /Provider must be one of GitHub, GitLab/],
  [hook({ Events: ['pull request'] }), 'InvalidArgument', /Events\[0\] must be the name of an event/],
  [hook({ Method: 'GET' }), 'NotSupported', /sourceWebhookParameters\.Method/],
  [hook({}, { eventSourceConfig: undefined }), 'InvalidArgument', /eventSourceConfig is required/],
  [hook({}, { eventSourceConfig: { eventSourceType: 'Kafka' } }), 'NotSupported', /event source type 'Kafka'/],
  [hook({}, { eventSourceConfig: { eventSourceType: 'Web' } }), 'InvalidArgument', /must be 'Webhook', not "Web"/],
  [hook({}, { eventSourceConfig: { eventSourceType: 'Webhook' } }), 'InvalidArgument', /WebhookParameters is required/],
  [hook({}, { asyncInvocationType: false }), 'NotSupported', /asyncInvocationType/],
  [hook({}, { eventRuleFilterPattern: '{' }), 'InvalidArgument', /eventRuleFilterPattern is not valid JSON/],
  [hook({}, { eventRuleFilterPattern: '{"type":[]}' }), 'InvalidArgument', /type is an empty list/],
  [hook({}, { runOptions: { mode: 'event-streaming' } }), 'NotSupported', /runOptions\.mode/],
  [hook({}, { runOptions: { errorsTolerance: 'ALL' } }), 'NotSupported', /errorsTolerance/],
  [hook({}, { eventSinkConfig: { deliveryOption: { concurrency: 5 } } }), 'NotSupported', /concurrency/],
];

/** `parameters` of the webhook, `rest` of the trigger's config. */
function hook(parameters: object = {}, rest: object = {}): Record<string, unknown> {
  const sourceWebhookParameters = { Provider: 'GitHub', Secret: 'a long secret', ...parameters };
  return config('eventbridge', {
    triggerEnable: true,
    asyncInvocationType: true,
    eventRuleFilterPattern: '{}',
    eventSourceConfig: { eventSourceType: 'Webhook', eventSourceParameters: { sourceWebhookParameters } },
    ...rest,
  });
}

describe('trigger input', () => {
  for (const [input, code, message] of wrong) {
    it(`${JSON.stringify(input).slice(0, 110)} is ${code}`, async () => {
      const { control, world } = await start();
      const before = world.store.keys('');
      await refused(control.createTrigger(ACCOUNT, 'f', input), code, message);
      assert.deepEqual(world.store.keys(''), before);
    });
  }
});

describe('http triggers', () => {
  it('have a stable domain prefix, found by it until deleted', async () => {
    const { control, catalog } = await start();
    const created = await control.createTrigger(ACCOUNT, 'f', http({ authConfig: '', corsConfig: {} }));
    assert.ok(created.config.type === 'http');
    const { domainPrefix } = created.config;
    assert.match(domainPrefix, /^f-[a-z]{10}$/);
    assert.deepEqual(await catalog.httpTrigger(domainPrefix), created);
    assert.deepEqual(catalog.httpTriggerNow(domainPrefix), created);
    const triggerConfig = '{ "authType": "function", "methods": ["POST", "POST"] }';
    const updated = await control.updateTrigger(ACCOUNT, 'f', 't', { triggerConfig, qualifier: 'prod' });
    assert.deepEqual(updated.config, {
      type: 'http',
      authType: 'function',
      methods: ['POST'],
      disableUrlInternet: false,
      domainPrefix,
    });
    assert.equal(updated.rawConfig, triggerConfig);
    assert.equal(updated.qualifier, 'prod');
    assert.deepEqual(catalog.httpTriggerNow(domainPrefix), updated);
    assert.deepEqual(await control.getTrigger(ACCOUNT, 'f', 't'), updated);
    await control.deleteTrigger(ACCOUNT, 'f', 't');
    assert.equal(await catalog.httpTrigger(domainPrefix), undefined);
    await refused(control.getTrigger(ACCOUNT, 'f', 't'), 'TriggerNotFound', /trigger 't' does not exist/);
  });

  it('are at most one per qualifier', async () => {
    const { control } = await start();
    await control.createTrigger(ACCOUNT, 'f', http());
    await refused(control.createTrigger(ACCOUNT, 'f', http()), 'TriggerAlreadyExists', /'t'/);
    await refused(control.createTrigger(ACCOUNT, 'f', { ...http(), triggerName: 'u' }), 'LimitExceededError', /'t'/);
    await control.createTrigger(ACCOUNT, 'f', { ...http(), triggerName: 'u', qualifier: 'prod' });
    await refused(control.updateTrigger(ACCOUNT, 'f', 'u', { qualifier: 'LATEST' }), 'LimitExceededError', /'t'/);
    const names = (await control.listTriggers(ACCOUNT, 'f', { prefix: 'u' })).items.map(
      (trigger) => trigger.triggerName,
    );
    assert.deepEqual(names, ['u']);
  });

  it('have a prefix that is a DNS label for every function name', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_-]{0,127}$/), (name) => {
        const prefix = newDomainPrefix(name, new TestRandom());
        assert.match(prefix, /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])$/);
      }),
    );
    assert.match(newDomainPrefix('My_Func', new TestRandom()), /^my-func-[a-z]{10}$/);
    assert.match(newDomainPrefix('___', new TestRandom()), /^[a-z]{10}$/);
  });
});

describe('eventbridge triggers', () => {
  it('keep their secret to themselves, their prefix, and the secret when what is shown is sent back', async () => {
    const { control, catalog } = await start();
    const created = await control.createTrigger(ACCOUNT, 'f', hook());
    assert.ok(created.config.type === 'eventbridge');
    assert.equal(created.config.source.secret, 'a long secret');
    assert.ok(!created.rawConfig.includes('a long secret'));
    assert.match(created.rawConfig, /"Secret":"\*{6}"/);
    const { domainPrefix } = created.config;
    assert.deepEqual(await catalog.httpTrigger(domainPrefix), created);
    const again = await control.updateTrigger(ACCOUNT, 'f', 't', { triggerConfig: created.rawConfig });
    assert.deepEqual(again.config, created.config);
    const pattern = hook({ Secret: 'another secret' }, { eventRuleFilterPattern: { type: ['x'] } })['triggerConfig'];
    const changed = await control.updateTrigger(ACCOUNT, 'f', 't', { triggerConfig: pattern });
    assert.ok(changed.config.type === 'eventbridge');
    assert.equal(changed.config.source.secret, 'another secret');
    assert.deepEqual([changed.config.pattern, changed.config.domainPrefix], [{ type: ['x'] }, domainPrefix]);
    await control.deleteTrigger(ACCOUNT, 'f', 't');
    assert.equal(await catalog.httpTrigger(domainPrefix), undefined);
  });

  it('remember the function that made them, until they are changed from outside', async () => {
    const { control } = await start();
    const lineage = { hops: 1, rootRequestId: 'r', cause: 'call' } as const;
    assert.deepEqual((await control.createTrigger(ACCOUNT, 'f', timer(), lineage)).lineage, lineage);
    assert.equal((await control.updateTrigger(ACCOUNT, 'f', 't', {})).lineage, undefined);
    assert.deepEqual((await control.updateTrigger(ACCOUNT, 'f', 't', {}, lineage)).lineage, lineage);
  });
});

describe('oss triggers', () => {
  it('keep bucket, events, prefix and suffix', async () => {
    const { control, catalog } = await start();
    const created = await control.createTrigger(ACCOUNT, 'f', oss({ prefix: 'in/', suffix: '.mp4' }));
    assert.deepEqual(created.config, {
      type: 'oss',
      bucket: 'media',
      events: ['oss:ObjectCreated:*'],
      prefix: 'in/',
      suffix: '.mp4',
    });
    assert.deepEqual(await catalog.triggers('oss'), [created]);
    assert.deepEqual(await catalog.triggers('timer'), []);
  });

  it('that would fire for the same object conflict, over functions, until one goes', async () => {
    const { control } = await start();
    await control.createFunction(ACCOUNT, await functionInput('g'));
    await control.createTrigger(ACCOUNT, 'f', oss({ prefix: 'in/', suffix: '.mp4' }));
    const clash = oss({ prefix: 'in/a/' }, { events: ['oss:ObjectCreated:PutObject'] });
    await refused(
      control.createTrigger(ACCOUNT, 'g', clash),
      'InvalidArgument',
      /overlaps with trigger 't' of function 'f'/,
    );
    await control.createTrigger(ACCOUNT, 'g', oss({ prefix: 'out/' }));
    const moved = {
      triggerConfig: JSON.stringify({ events: ['oss:ObjectCreated:*'], filter: { key: { prefix: 'in' } } }),
    };
    await refused(control.updateTrigger(ACCOUNT, 'g', 't', moved), 'InvalidArgument', /overlaps/);
    await control.deleteFunction(ACCOUNT, 'f');
    await control.updateTrigger(ACCOUNT, 'g', 't', moved);
  });

  it('made at once: one of two that overlap wins', async () => {
    const { control, world } = await start();
    await control.createFunction(ACCOUNT, await functionInput('g'));
    // The other one comes while the first has written its rule but not yet its trigger.
    let second: Promise<unknown> | undefined;
    world.store.beforePut = async (key) => {
      if (!key.startsWith('t/') || second !== undefined) return;
      second = control.createTrigger(ACCOUNT, 'g', oss());
      second.catch(() => undefined);
      for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
    };
    await control.createTrigger(ACCOUNT, 'f', oss());
    await refused(second ?? Promise.resolve(), 'InvalidArgument', /overlaps with trigger 't' of function 'f'/);
  });

  it('overlap exactly when some event and key fires both', () => {
    const part = fc.stringMatching(/^[ab]{0,3}$/);
    const rule = fc.record({ events: fc.subarray([...OBJECT_EVENTS], { minLength: 1 }), prefix: part, suffix: part });
    const fires = (r: { events: string[]; prefix: string; suffix: string }, event: string, key: string): boolean =>
      key.startsWith(r.prefix) &&
      key.endsWith(r.suffix) &&
      r.events.some(
        (pattern) => pattern === event || (pattern.endsWith('*') && event.startsWith(pattern.slice(0, -1))),
      );
    fc.assert(
      fc.property(rule, rule, (a, b) => {
        const events = OBJECT_EVENTS.filter((event) => !event.endsWith('*'));
        // A key long enough to hold both prefixes and both suffixes is the hardest witness.
        const witness = (x: string, y: string): string => (x.length > y.length ? x : y);
        const suffix = a.suffix.length > b.suffix.length ? a.suffix : b.suffix;
        const key = `${witness(a.prefix, b.prefix)}-${suffix}`;
        const both = events.some((event) => fires(a, event, key) && fires(b, event, key));
        assert.equal(ossOverlap(a, b), both);
        assert.equal(ossOverlap(b, a), both);
      }),
    );
  });
});

describe('timer triggers', () => {
  it('keep schedule, switch and payload, and announce changes', async () => {
    const { control, catalog } = await start();
    const seen: (string | undefined)[] = [];
    catalog.onTrigger(({ key, trigger }) => seen.push(`${key} ${trigger?.config.type}`));
    const created = await control.createTrigger(ACCOUNT, 'f', timer({ payload: 'p' }));
    assert.deepEqual(created.config, { type: 'timer', cronExpression: '@every 5m', enable: true, payload: 'p' });
    await control.updateTrigger(ACCOUNT, 'f', 't', { description: 'd' });
    assert.equal((await control.getTrigger(ACCOUNT, 'f', 't')).rawConfig, created.rawConfig);
    await control.deleteFunction(ACCOUNT, 'f');
    const key = `${ACCOUNT}/f/t`;
    assert.deepEqual(seen, [`${key} timer`, `${key} timer`, `${key} undefined`]);
    assert.deepEqual(await catalog.triggers('timer'), []);
  });
});
