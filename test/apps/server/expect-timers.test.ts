import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expectTimers } from '../../../src/apps/server/expect-timers.ts';
import type { TriggerRecord } from '../../../src/core/domain/trigger.ts';
import { TimerTable } from '../../../src/services/events/timer-table.ts';
import { ACCOUNT, World } from '../../services/scheduler/world.ts';

const MINUTE = 60_000;
const byKey = (a: readonly [string, number], b: readonly [string, number]): number => a[0].localeCompare(b[0]);

function timer(qualifier: string, cronExpression = '@every 5m'): TriggerRecord {
  return {
    account: ACCOUNT,
    functionName: 'f',
    triggerName: `t-${qualifier}`,
    triggerId: `t-${qualifier}`,
    qualifier,
    description: '',
    sourceArn: '',
    invocationRole: '',
    config: { type: 'timer', cronExpression, enable: true, payload: '' },
    rawConfig: '{}',
    createdTime: 0,
    lastModifiedTime: 0,
  };
}

test('every fire of a timer is announced to the version that it will call, the next one when one is taken', async () => {
  const { catalog } = new World();
  const latest = catalog.put('f');
  const published = catalog.publish('f', '7');
  catalog.publish('f', '6');
  catalog.aliases.set('f/live', {
    account: ACCOUNT,
    functionName: 'f',
    aliasName: 'live',
    versionId: '6',
    additionalVersionWeight: { '7': 0.9 },
    description: '',
    createdTime: 0,
    lastModifiedTime: 0,
  });
  const expected: [string, number][] = [];
  const both = (at: number): [string, number][] =>
    [latest, published].map(({ key }): [string, number] => [key, at]).toSorted(byKey);
  const fail = (error: unknown): never => assert.fail(String(error));
  const forecast = { expectAt: (spec: { key: string }, at: number) => void expected.push([spec.key, at / MINUTE]) };
  const table = new TimerTable(expectTimers({ catalog, forecast, onError: fail }));
  table.set(timer('LATEST'), 0);
  table.set(timer('live'), 0);
  table.set(timer('gone'), 0);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(expected.toSorted(byKey), both(5));
  expected.length = 0;
  table.take(5 * MINUTE);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(expected.toSorted(byKey), both(10));
});
