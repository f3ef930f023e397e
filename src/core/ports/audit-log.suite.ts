import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { AuditEntry, AuditLog } from './audit-log.ts';

/** One place where an audit log is kept. */
export interface AuditPlace {
  /** With room for many records unless `keptBytes` says less. */
  open(keptBytes?: number): Promise<AuditLog>;
  /** Appends records named `r0`, `r1`, ... in a process of its own, which is killed after so many were on disk. */
  crash(answers: number): Promise<unknown>;
  /** Changes what is stored behind the log's back: the text of all records, as a list of lines. */
  edit(change: (lines: string[]) => string[]): Promise<void>;
}

export function auditEntry(requestId: string, account = '1'): AuditEntry {
  return {
    at: 1_000,
    requestId,
    account,
    principal: `acs:ram::${account}:root`,
    accessKeyId: 'id',
    sourceIp: '127.0.0.1',
    action: 'fc:CreateFunction',
    resource: `acs:fc:local:${account}:functions/f`,
    outcome: 'done',
    code: '',
    count: 1,
  };
}

/** What every audit log promises. `place` makes a fresh, empty one and cleans up after the test. */
export function auditLogSuite(name: string, place: (test: TestContext) => Promise<AuditPlace>): void {
  const ids = async (log: AuditLog, query: Partial<Parameters<AuditLog['read']>[0]> = {}): Promise<string[]> =>
    (await log.read({ limit: 1_000, ...query })).map(({ requestId }) => requestId);

  describe(`${name}: audit log`, () => {
    it('keeps what was appended in order, and pages it newest first, by account', async (test) => {
      const log = await (await place(test)).open();
      await Promise.all(['a', 'b', 'c', 'd'].map((id, at) => log.append(auditEntry(id, at % 2 === 0 ? '1' : '2'))));
      assert.deepEqual(await ids(log), ['d', 'c', 'b', 'a']);
      assert.deepEqual(await ids(log, { account: '1' }), ['c', 'a']);
      const [last] = await log.read({ limit: 2 });
      assert.deepEqual([last?.number, await ids(log, { before: 3, limit: 1 })], [4, ['b']]);
      assert.deepEqual(await log.verify(), { sound: true, from: 1, to: 4 });
      await log.close();
      await assert.rejects(log.append(auditEntry('late')));
    });

    it('goes on after it was opened again, and after a kill: what was acknowledged is there', async (test) => {
      const where = await place(test);
      await where.crash(20);
      const log = await where.open();
      const before = (await ids(log)).length;
      assert.ok(before >= 20);
      await log.append(auditEntry('after'));
      assert.deepEqual(await ids(log, { limit: 2 }), ['after', `r${before - 1}`]);
      assert.deepEqual(await log.verify(), { sound: true, from: 1, to: before + 1 });
      await log.close();
    });

    it('finds what was changed, taken out, put in, moved, or cut off', async (test) => {
      const where = await place(test);
      const log = await where.open();
      for (const id of ['a', 'b', 'c', 'd']) await log.append(auditEntry(id));
      const spoilt: readonly [string, (lines: string[]) => string[], number][] = [
        ['changed', (lines) => lines.map((line) => line.replace('"requestId":"b"', '"requestId":"x"')), 2],
        ['taken out', (lines) => lines.toSpliced(1, 1), 2],
        ['put in', (lines) => lines.toSpliced(2, 0, lines[1] ?? ''), 3],
        ['moved', (lines) => [lines[0] ?? '', lines[2] ?? '', lines[1] ?? '', lines[3] ?? ''], 2],
        ['none of ours', (lines) => lines.with(3, 'junk'), 4],
        ['cut off while it runs', (lines) => lines.slice(0, 3), 4],
      ];
      let good: string[] = [];
      await where.edit((lines) => (good = lines));
      for (const [what, change, number] of spoilt) {
        await where.edit(() => change(good));
        const verdict = await log.verify();
        assert.deepEqual([verdict.sound, verdict.sound ? 0 : verdict.number], [false, number], what);
      }
      await where.edit(() => good);
      assert.equal((await log.verify()).sound, true);
      await log.close();
    });

    it('lets the oldest go when it passes its bound, and what is kept is sound', async (test) => {
      const log = await (await place(test)).open(20_000);
      for (let number = 0; number < 400; number++) await log.append(auditEntry(`r${number}`));
      const kept = await ids(log);
      assert.ok(kept.length < 400 && kept.length > 10, `${kept.length}`);
      assert.equal(kept[0], 'r399');
      const verdict = await log.verify();
      assert.ok(verdict.sound && verdict.from > 1 && verdict.to === 400, JSON.stringify(verdict));
      await log.close();
    });
  });
}
