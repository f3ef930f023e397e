import assert from 'node:assert/strict';
import { join } from 'node:path';
import { it } from 'node:test';
import { systemClock } from '../../../src/adapters/clock-system/index.ts';
import { openEventQueue } from '../../../src/adapters/queue-sqlite/index.ts';
import { killAfterLines } from '../../adapters/killed-child.ts';
import { temporaryFolder } from '../../adapters/temporary-folder.ts';

const A_SECOND = 5;

it('SIGKILL in the middle of fires: none is missed, none is there twice', { timeout: 120_000 }, async (test) => {
  const folder = await temporaryFolder(test);
  const made = Math.floor(Date.now() / 1000) * 1000;
  const script = new URL('./timers-until-killed.ts', import.meta.url);
  const told = new Set<string>();
  for (const fires of [1, 7, 3, 12]) {
    for (const id of await killAfterLines(script, [folder, String(made)], fires)) told.add(id);
  }
  const queue = await openEventQueue({ path: join(folder, 'queue.db'), clock: systemClock, rememberMs: 3_600_000 });
  const ids: string[] = [];
  for (;;) {
    const leased = await queue.lease({ max: 500, leaseMs: 3_600_000, now: Date.now() });
    if (leased.length === 0) break;
    ids.push(...leased.map(({ id }) => id));
  }
  await queue.close();
  assert.equal(new Set(ids).size, ids.length);
  for (const id of told) assert.ok(ids.includes(id), `${id} was told and is not there`);
  const perSecond = new Map<number, number>();
  for (const id of ids) {
    const at = Number(id.split(':')[1]);
    perSecond.set(at, (perSecond.get(at) ?? 0) + 1);
  }
  const last = Math.max(...perSecond.keys());
  // The last second may have been cut off by the kill; what fell due before it must be there, downtime included.
  for (let at = made + 1000; at < last; at += 1000) {
    assert.equal(perSecond.get(at), A_SECOND, `fires at ${new Date(at).toISOString()}`);
  }
});
