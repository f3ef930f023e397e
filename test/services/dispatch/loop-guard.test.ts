import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import { LIMITS } from '../../../src/core/domain/limits.ts';
import { descend, type Lineage, rootLineage } from '../../../src/core/domain/lineage.ts';
import type { AsyncCommand } from '../../../src/core/ports/dispatch.ts';
import { ACCOUNT } from '../scheduler/world.ts';
import { DispatchWorld } from './dispatch-world.ts';

function limited(error: unknown): boolean {
  return (
    error instanceof TidemillError && error.code === 'LimitExceededError' && /TIDEMILL_MAX_HOPS/.test(error.remedy)
  );
}

/** The lineage of a call that `f` made `hops` times in a row. */
function deep(hops: number, root = 'root'): Lineage {
  let lineage = rootLineage(root);
  for (let n = 0; n < hops; n++) lineage = descend({ functionName: 'f', requestId: `${root}-${n}`, lineage }, 'object');
  return lineage;
}

function event(lineage: Lineage, requestId: string): AsyncCommand {
  return { requestId, account: ACCOUNT, functionName: 'f', qualifier: undefined, payload: Buffer.from('e'), lineage };
}

async function opened(environmentVariables: Record<string, string> = {}): Promise<DispatchWorld> {
  const world = await DispatchWorld.open();
  world.catalog.put('f', { environmentVariables });
  return world;
}

/** Makes one sync call with this lineage. */
async function call(world: DispatchWorld, lineage: Lineage): Promise<void> {
  const target = await world.dispatch.resolve(ACCOUNT, 'f', undefined);
  const answer = world.dispatch.invoke(world.command(target, { lineage }));
  answer.catch(() => undefined);
  await world.clock.advance(1_000);
  await answer;
}

describe('the hop limit', () => {
  test('the call at the limit is refused with the remedy, and told with the whole chain', async () => {
    const world = await opened();
    await call(world, deep(LIMITS.hopsDefault - 1));
    const lineage = deep(LIMITS.hopsDefault);
    await assert.rejects(call(world, lineage), limited);
    const [fact, ...others] = world.facts.of('loop-stopped');
    assert.deepEqual(others, []);
    assert.deepEqual(
      [fact?.functionName, fact?.invocation, fact?.reason, fact?.limit, fact?.lineage],
      ['f', 'sync', 'hops', LIMITS.hopsDefault, lineage],
    );
    assert.equal(fact?.lineage.chain?.length, LIMITS.hopsDefault);
    await world.close();
  });

  test('a function may have another one, or none', async () => {
    const strict = await opened({ TIDEMILL_MAX_HOPS: '2' });
    await call(strict, deep(1));
    await assert.rejects(call(strict, deep(2)), limited);
    await strict.close();
    const free = await opened({ TIDEMILL_MAX_HOPS: 'unlimited' });
    await call(free, deep(1_000));
    await free.close();
  });

  test('an event at the limit ends as failed, without a run and without another try', async () => {
    const world = await opened();
    await world.dispatch.invokeAsync(event(deep(LIMITS.hopsDefault), 'r1'));
    await world.clock.advance(1_000);
    await world.clock.advance(600_000);
    assert.deepEqual(
      world.facts.of('event-ended').map(({ state, attempts }) => [state, attempts]),
      [['Failed', 0]],
    );
    assert.equal(world.facts.of('loop-stopped')[0]?.invocation, 'async');
    assert.equal(world.pool.orders.length, 0);
    await world.close();
  });

  test('hops that a caller claims without a chain stop its own call and nobody else', async () => {
    const world = await opened();
    const claimed = { hops: LIMITS.hopsDefault, rootRequestId: 'root', cause: 'call' } as const;
    await assert.rejects(call(world, claimed), limited);
    await call(world, deep(3));
    await world.close();
  });

  test('once a loop is proven its other branches are stopped, but nothing else is', async () => {
    const world = await opened();
    await assert.rejects(call(world, deep(LIMITS.hopsDefault)), limited);
    await assert.rejects(call(world, deep(3)), /one more branch/);
    await call(world, deep(3, 'another root'));
    await call(world, { hops: 3, rootRequestId: 'root', cause: 'call', chain: [] });
    assert.equal(world.facts.of('loop-stopped').length, 1, 'one alarm is enough');
    await world.clock.advance(600_001);
    await call(world, deep(3));
    await world.close();
  });
});

describe('the rate of descendants', () => {
  test('is bounded for each root: calls are refused, told once a minute; others go on', async () => {
    const world = await opened({ TIDEMILL_MAX_DESCENDANTS_PER_MINUTE: '2' });
    await call(world, deep(1));
    await call(world, deep(1));
    for (let n = 0; n < 3; n++) {
      await assert.rejects(call(world, deep(1)), (error) => error instanceof TidemillError && error.status === 429);
    }
    await call(world, deep(1, 'another root'));
    assert.deepEqual(
      world.facts.of('loop-stopped').map(({ reason, limit }) => [reason, limit]),
      [['rate', 2]],
    );
    await world.close();
  });

  test('events over the rate wait and are run later, all of them', async () => {
    const world = await opened({ TIDEMILL_MAX_DESCENDANTS_PER_MINUTE: '6' });
    for (let n = 0; n < 12; n++) await world.dispatch.invokeAsync(event(deep(1), `r${n}`));
    await world.clock.advance(5_000);
    assert.equal(world.facts.of('event-ended').length, 6);
    await world.clock.advance(600_000);
    assert.deepEqual(new Set(world.facts.of('event-ended').map(({ state }) => state)), new Set(['Succeeded']));
    assert.equal(world.facts.of('event-ended').length, 12);
    await world.close();
  });
});

/** As docs/reference/compatibility.md says: half of the hop limit, half of that with each level, one from the fourth on. */
const sideBySide: readonly [depth: number, width: number][] = [
  [1, 8],
  [2, 4],
  [3, 2],
  [4, 1],
  [5, 1],
  [12, 1],
];
for (const [depth, width] of sideBySide) {
  test(`of the events that a function caused for itself ${depth} deep, ${width} run at once for each first request`, async () => {
    const world = await opened();
    const running = new Map<string, number>();
    const most = new Map<string, number>();
    const count = (root: string, by: number): void => {
      running.set(root, (running.get(root) ?? 0) + by);
      most.set(root, Math.max(most.get(root) ?? 0, running.get(root) ?? 0));
    };
    world.answer = async ({ requestId }) => {
      const root = requestId.slice(0, requestId.indexOf('/'));
      count(root, 1);
      const answer = await world.later(100, { errorType: undefined, payload: Buffer.from('ok') });
      count(root, -1);
      return answer;
    };
    for (let n = 0; n < 12; n++) {
      for (const root of ['one', 'two']) await world.dispatch.invokeAsync(event(deep(depth, root), `${root}/${n}`));
    }
    await world.clock.advance(60_000);
    assert.equal(world.facts.of('event-ended').length, 24);
    assert.deepEqual(most, new Map(['one', 'two'].map((root) => [root, width])));
    await world.close();
  });
}

// Breadth first it would be 3 to the power of 16. A function with one slot takes events 32 at a time, and those first.
const widths = [
  { what: 'with room', more: {}, most: 4 * LIMITS.hopsDefault },
  { what: 'with one slot', more: { reservedConcurrency: 1 }, most: 32 * LIMITS.hopsDefault },
];
for (const { what, more, most } of widths) {
  test(`a loop that makes three events of one is found after few runs, ${what}`, async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f', {}, more);
    let made = 0;
    const lineages = new Map<string, Lineage>([['r0', rootLineage('r0')]]);
    world.answer = async ({ requestId }) => {
      const lineage = lineages.get(requestId) ?? rootLineage(requestId);
      for (let branch = 0; branch < 3; branch++) {
        const child = descend({ functionName: 'f', requestId, lineage }, 'object');
        const id = `r${++made}`;
        lineages.set(id, child);
        await world.dispatch.invokeAsync(event(child, id));
      }
      return world.later(50, { errorType: undefined, payload: Buffer.from('ok') });
    };
    await world.dispatch.invokeAsync(event(rootLineage('r0'), 'r0'));
    await world.clock.advance(120_000);
    const ends = world.facts.of('event-ended');
    assert.equal(world.queue.stored.length, 0, 'it has come to an end');
    assert.equal(ends.length, made + 1, 'every event has an end');
    const runs = ends.filter(({ state }) => state === 'Succeeded').length;
    assert.ok(runs >= LIMITS.hopsDefault && runs < most, `${runs} runs`);
    assert.ok(world.facts.of('loop-stopped').length >= 1);
    await world.close();
  });
}
