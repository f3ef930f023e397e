import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forgetDeleted } from '../../../src/apps/server/forget-deleted.ts';
import { Emitter } from '../../../src/core/base/emitter.ts';
import type { FunctionRecord } from '../../../src/core/domain/function.ts';
import { settle } from '../../services/scheduler/simulated-clock.ts';
import { FakeCatalog } from '../../services/scheduler/world.ts';

test('what failed calls were given goes with the function, and not when it is changed', async () => {
  const changes = new Emitter<{ account: string; name: string }>();
  const there = new FakeCatalog();
  there.put('changed');
  const [record] = there.records.values();
  const forgotten: string[] = [];
  const errors: unknown[] = [];
  const forgetting = forgetDeleted({
    catalog: {
      onFunction: (listener) => changes.subscribe(listener),
      function: async (_account, name): Promise<FunctionRecord | undefined> =>
        name === 'changed' ? record : undefined,
    },
    failed: {
      async forget(account, name) {
        if (name === 'stuck') throw new Error('the disk is gone');
        forgotten.push(`${account}/${name}`);
      },
    },
    onError: (error) => errors.push(error),
  });
  for (const name of ['changed', 'deleted', 'stuck']) changes.emit({ account: '1', name });
  await settle();
  assert.deepEqual(forgotten, ['1/deleted']);
  assert.equal(errors.length, 1);
  forgetting.dispose();
  changes.emit({ account: '1', name: 'other' });
  await settle();
  assert.equal(forgotten.length, 1);
});
