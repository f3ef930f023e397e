import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Control, ListFunctionsQuery } from '../../../src/core/ports/control.ts';
import { fromToken, pageLimit, toToken } from '../../../src/services/control/paging.ts';
import { ACCOUNT, functionInput, startWorld } from './memory-world.ts';
import { refused } from './refusal.ts';

const NAMES = ['a', 'ab', 'abc', 'b', 'B', '_x', 'a-b', 'a1', 'ab-c', 'zz'];

async function start() {
  const started = await startWorld();
  for (const name of NAMES) {
    const tags = name.startsWith('a')
      ? [
          { Key: 'team', Value: name.length > 1 ? 'two' : 'one' },
          { Key: 'env', Value: 'test' },
        ]
      : [];
    await started.control.createFunction(ACCOUNT, await functionInput(name, { tags, description: `about ${name}` }));
  }
  await started.control.createFunction('6543210987654321', await functionInput('a-stranger'));
  return started;
}

async function allPages(control: Control, query: ListFunctionsQuery): Promise<string[]> {
  const seen: string[] = [];
  let nextToken: string | undefined;
  do {
    const page = await control.listFunctions(ACCOUNT, { ...query, nextToken });
    if (page.nextToken !== undefined) assert.equal(page.items.length, query.limit);
    seen.push(...page.items.map((item) => item.record.name));
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  return seen;
}

describe('listing functions', () => {
  it('gives every match once, in order, whatever the page size', async () => {
    const { control } = await start();
    const query = fc.record({
      limit: fc.integer({ min: 1, max: 12 }),
      prefix: fc.constantFrom('', 'a', 'ab', 'b', 'nope', '../'),
    });
    await fc.assert(
      fc.asyncProperty(query, async ({ limit, prefix }) => {
        const expected = NAMES.filter((name) => name.startsWith(prefix)).sort();
        assert.deepEqual(await allPages(control, { limit, prefix }), expected);
      }),
      { numRuns: 60 },
    );
  });

  it('filters', async () => {
    const { control } = await start();
    const names = async (query: ListFunctionsQuery) => allPages(control, { limit: 3, ...query });
    assert.deepEqual(await names({ runtime: 'nodejs20' }), NAMES.toSorted());
    assert.deepEqual(await names({ runtime: 'python3.10' }), []);
    assert.deepEqual(await names({ functionName: 'ab' }), ['ab']);
    assert.deepEqual(await names({ description: 'about z' }), ['zz']);
    assert.deepEqual(await names({ fcVersion: 'v2' }), []);
    assert.deepEqual(await names({ fcVersion: 'v3' }), NAMES.toSorted());
    assert.deepEqual(await names({ gpuType: 'fc.gpu.ada.1' }), []);
    assert.deepEqual(await names({ tags: '[{"Key":"team","Value":"one"}]' }), ['a']);
    assert.equal((await names({ tags: '[{"Key":"team"},{"Key":"env","Value":"test"}]' })).length, 6);
    assert.deepEqual(await names({ tags: '[{"Key":"team"},{"Key":"other"}]' }), []);
    await refused(control.listFunctions(ACCOUNT, { tags: '{' }), 'InvalidArgument', /^tags must be a JSON list/);
    await refused(control.listFunctions(ACCOUNT, { fcVersion: 'v9' }), 'InvalidArgument', /^fcVersion/);
    for (const limit of ['0', '101', 'x', -1, 1.5, '1e1']) {
      await refused(
        control.listFunctions(ACCOUNT, { limit }),
        'InvalidArgument',
        /^limit must be an integer from 1 to 100/,
      );
    }
    await refused(control.listFunctions(ACCOUNT, { nextToken: 'bogus' }), 'InvalidArgument', /^nextToken/);
  });

  it('has tokens that come back as they went, and no others', () => {
    fc.assert(
      fc.property(fc.string(), (position) => !position.isWellFormed() || fromToken(toToken(position)) === position),
    );
    assert.equal(pageLimit('7'), 7);
    assert.equal(pageLimit(undefined), 20);
  });
});

describe('tags', () => {
  const arn = (name: string) => `acs:fc:local:${ACCOUNT}:functions/${name}`;

  it('are added, replaced and removed without touching code or configuration', async () => {
    const { control } = await start();
    const before = await control.getFunction(ACCOUNT, 'zz');
    const resource = { resourceType: 'function', resourceIds: [arn('zz'), `acs:fc:local::functions/b`] };
    await control.tagResources(ACCOUNT, {
      ...resource,
      tags: [
        { Key: 'k', Value: '1' },
        { Key: 'l', Value: '' },
      ],
    });
    await control.tagResources(ACCOUNT, {
      ...resource,
      resourceType: 'ALIYUN::FC::FUNCTION',
      tags: [{ Key: 'k', Value: '2' }],
    });
    const { record } = await control.getFunction(ACCOUNT, 'zz');
    assert.deepEqual(record, {
      ...before.record,
      tags: [
        { key: 'k', value: '2' },
        { key: 'l', value: '' },
      ],
    });
    await control.untagResources(ACCOUNT, { ...resource, tagKeys: ['k', 'absent'] });
    assert.deepEqual((await control.getFunction(ACCOUNT, 'b')).record.tags, [{ key: 'l', value: '' }]);
    await control.untagResources(ACCOUNT, { ...resource, all: true });
    assert.deepEqual((await control.getFunction(ACCOUNT, 'zz')).record.tags, []);
  });

  it('are all or nothing over resources', async () => {
    const { control } = await start();
    const request = {
      resourceType: 'function',
      resourceIds: [arn('zz'), arn('missing')],
      tags: [{ Key: 'k', Value: '' }],
    };
    await refused(control.tagResources(ACCOUNT, request), 'FunctionNotFound', /'missing'/);
    const many = Array.from({ length: 19 }, (_, i) => ({ Key: `k${i}`, Value: '' }));
    await refused(
      control.tagResources(ACCOUNT, { ...request, resourceIds: [arn('zz'), arn('a')], tags: many }),
      'InvalidArgument',
      /would be 21/,
    );
    assert.deepEqual((await control.getFunction(ACCOUNT, 'zz')).record.tags, []);
    for (const [change, message] of [
      [{ resourceType: 'layer' }, /^ResourceType must be 'function'/],
      [{ resourceIds: [] }, /^ResourceId must be a list/],
      [{ resourceIds: ['x'] }, /^ResourceId has "x"/],
      [{ resourceIds: [`acs:fc:local:6543210987654321:functions/a-stranger`] }, /of this account/],
      [{ tags: [] }, /^Tag is required/],
      [{ tags: [{ Key: 'k', Value: 1 }] }, /^Tag\[0\]\.Value must be a string/],
    ] as const) {
      await refused(control.tagResources(ACCOUNT, { ...request, ...change }), 'InvalidArgument', message);
    }
    await refused(
      control.untagResources(ACCOUNT, { resourceType: 'function', resourceIds: [arn('a')] }),
      'InvalidArgument',
      /^TagKey is required/,
    );
  });

  it('are listed by resource and by tag, page by page', async () => {
    const { control } = await start();
    const request = { resourceType: 'FUNCTION', tags: [{ Key: 'team' }] };
    const all = await control.listTagResources(ACCOUNT, request, { limit: 100 });
    assert.equal(all.items.length, 12);
    for (const resourceIds of [undefined, ['a', 'ab', 'abc', 'a-b', 'a1', 'ab-c'].map(arn)]) {
      for (const limit of [1, 3, 5, 12]) {
        const seen: unknown[] = [];
        let nextToken: string | undefined;
        do {
          const page = await control.listTagResources(ACCOUNT, { ...request, resourceIds }, { limit, nextToken });
          seen.push(...page.items);
          nextToken = page.nextToken;
        } while (nextToken !== undefined);
        assert.deepEqual(seen, all.items);
      }
    }
    const one = await control.listTagResources(ACCOUNT, { resourceType: 'function', resourceIds: [arn('a')] }, {});
    assert.deepEqual(
      one.items.map((item) => [item.resourceId, item.resourceType, item.tag.key]),
      [
        [arn('a'), 'ALIYUN::FC::FUNCTION', 'env'],
        [arn('a'), 'ALIYUN::FC::FUNCTION', 'team'],
      ],
    );
  });
});
