import assert from 'node:assert/strict';
import { it } from 'node:test';
import { systemRandom } from '../../../src/adapters/clock-system/index.ts';
import { newRequestId } from '../../../src/core/base/ids.ts';

it('request ids have the form of Function Compute and sort by their time', () => {
  const times = [1_700_000_000_000, 1_700_000_000_001, 1_700_000_000_016, 1_700_000_000_999, 1_700_000_001_000.5];
  const ids = times.map((now) => newRequestId(systemRandom, now));
  for (const id of ids) assert.match(id, /^1-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{12}$/);
  assert.deepEqual(ids.toSorted(), ids);
});
