import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Denials } from '../../../src/apps/server/denials.ts';
import type { AuditEntry } from '../../../src/core/ports/audit-log.ts';
import { auditEntry } from '../../../src/core/ports/audit-log.suite.ts';
import { SimulatedClock } from '../../services/scheduler/simulated-clock.ts';

function world() {
  const clock = new SimulatedClock();
  const written: AuditEntry[] = [];
  const denials = new Denials(clock, (entry) => written.push(entry));
  const deny = (more: Partial<AuditEntry>): void =>
    denials.add({ ...auditEntry('r'), outcome: 'denied', code: 'AccessDenied', ...more });
  return { clock, written, denials, deny };
}

test('the first of a kind is written at once, those like it as one that counts them', async () => {
  const { clock, written, deny } = world();
  for (let number = 0; number < 5; number++) deny({ requestId: `r${number}` });
  deny({ sourceIp: '192.0.2.1' });
  assert.deepEqual(
    written.map(({ requestId, count, sourceIp }) => [requestId, count, sourceIp]),
    [
      ['r0', 1, '127.0.0.1'],
      ['r', 1, '192.0.2.1'],
    ],
  );
  await clock.advance(10_000);
  assert.deepEqual([written.length, written[2]?.requestId, written[2]?.count], [3, 'r4', 4]);
  deny({});
  assert.equal(written.length, 4, 'a new window begins with one at once');
});

test('a flood of kinds is bounded too, and what was counted is written at the end', () => {
  const { written, denials, deny } = world();
  for (let number = 0; number < 5_000; number++) deny({ accessKeyId: `id${number}` });
  assert.ok(written.length <= 1_001, `${written.length}`);
  denials.dispose();
  const counted = written.filter(({ count }) => count > 1);
  assert.deepEqual(
    counted.map(({ count }) => count),
    [3_999],
  );
});
