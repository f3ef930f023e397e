import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import type { TriggerRecord } from '../../../src/core/domain/trigger.ts';
import { checkTriggerRights } from '../../../src/services/events/trigger-rights.ts';

const asked: string[] = [];
const access = {
  check(principal: { readonly arn: string }, action: string, resource: string): void {
    asked.push(`${principal.arn} ${action} ${resource}`);
    throw new TidemillError('AccessDenied', 'no');
  },
};

function triggerOf(invocationRole: string, qualifier: string): TriggerRecord {
  return {
    account: '1',
    functionName: 'f',
    triggerName: 't',
    triggerId: 'i',
    qualifier,
    description: '',
    sourceArn: '',
    invocationRole,
    config: { type: 'timer', cronExpression: '@every 1m', enable: true, payload: '' },
    rawConfig: '{}',
    createdTime: 0,
    lastModifiedTime: 0,
  };
}

test('a trigger with a role invokes as that role, each time; without one nobody is asked', () => {
  assert.throws(() => checkTriggerRights(access, 'local', triggerOf('acs:ram::1:role/worker', 'live')), /no/);
  assert.throws(() => checkTriggerRights(access, 'local', triggerOf('acs:ram::1:role/worker', 'LATEST')), /no/);
  assert.deepEqual(asked, [
    'acs:ram::1:assumed-role/worker/t fc:InvokeFunction acs:fc:local:1:functions/f/live',
    'acs:ram::1:assumed-role/worker/t fc:InvokeFunction acs:fc:local:1:functions/f',
  ]);
  checkTriggerRights(access, 'local', triggerOf('', 'live'));
});
