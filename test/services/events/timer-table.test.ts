import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { TriggerRecord } from '../../../src/core/domain/trigger.ts';
import { DueBuckets } from '../../../src/services/events/due-buckets.ts';
import { CATCH_UP_MS, keyOf, TimerTable } from '../../../src/services/events/timer-table.ts';

const START = Date.parse('2024-05-01T10:00:00Z');

function timer(name: string, cronExpression: string, more: Partial<TriggerRecord> = {}): TriggerRecord {
  return {
    account: 'a',
    functionName: 'f',
    triggerName: name,
    triggerId: `id-${name}`,
    qualifier: 'LATEST',
    description: '',
    sourceArn: '',
    invocationRole: '',
    config: { type: 'timer', cronExpression, enable: true, payload: '' },
    rawConfig: cronExpression,
    createdTime: START,
    lastModifiedTime: START,
    ...more,
  };
}

describe('the timer table', () => {
  it('a timer made again under a name that was removed starts afresh', () => {
    const table = new TimerTable();
    const first = timer('t', '0 * * * * *');
    table.set(first, START);
    table.remove(keyOf(first));
    assert.equal(table.nextDue(), undefined);
    table.set(timer('t', '0 * * * * *', { triggerId: 'other' }), START + 90_000);
    assert.equal(table.nextDue(), START + 120_000);
    assert.deepEqual(
      table.take(START + 130_000).map(({ trigger, at }) => [trigger.triggerId, at]),
      [['other', START + 120_000]],
    );
  });

  it('gives out each fire once, whenever it is asked, and only the latest of those that were missed', () => {
    const expressions = ['0 * * * * *', '30 0/7 * * * *', '@every 90s', '0 0 * * * *'];
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 3 * CATCH_UP_MS }), { minLength: 1, maxLength: 8 }),
        fc.constantFrom(...expressions),
        (pauses, expression) => {
          const table = new TimerTable();
          table.set(timer('t', expression), START);
          let now = START;
          for (const pause of pauses) {
            const before = now;
            now += pause;
            const due = new TimerTable();
            // A table that is asked each second knows every fire there was.
            due.set(timer('t', expression), before);
            let latest: number | undefined;
            for (let at = due.nextDue(); at !== undefined && at <= now; at = due.nextDue()) {
              latest = due.take(at).at(-1)?.at;
            }
            const expected = latest !== undefined && latest >= now - CATCH_UP_MS ? [latest] : [];
            assert.deepEqual(
              table.take(now).map(({ at }) => at),
              expected,
            );
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('due buckets', () => {
  it('are a sorted list of what was added and not removed', () => {
    const step = fc.record({ add: fc.boolean(), which: fc.nat(15), due: fc.nat(6) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const buckets = new DueBuckets<{ due: number | undefined; slot: number; id: number }>();
        const items = Array.from({ length: 16 }, (_, id) => ({ due: undefined, slot: 0, id }));
        const model = new Map<number, number>();
        for (const { add, which, due } of steps) {
          const item = items[which];
          if (item === undefined) continue;
          buckets.remove(item);
          model.delete(which);
          if (!add) continue;
          buckets.add(item, due);
          model.set(which, due);
        }
        for (let first = buckets.first(); first !== undefined; first = buckets.first()) {
          assert.equal(first, Math.min(...model.values()));
          for (const { id } of buckets.takeFirst()) {
            assert.equal(model.get(id), first);
            model.delete(id);
          }
        }
        assert.equal(model.size, 0);
      }),
    );
  });
});
