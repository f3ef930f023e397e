import assert from 'node:assert/strict';
import { defaultConfig } from '../domain/function-defaults.ts';
import { describe, it, type TestContext } from 'node:test';
import type { InstanceJournal, InstanceRecord } from './instance-journal.ts';

/** One place where a journal keeps its records. */
export interface InstanceJournalPlace {
  /** Opens the journal there, as every new agent does; the one before may have been killed. */
  open(): InstanceJournal;
  /**
   * Lets another process write `journalRecord('crash', n)` for n = 0, 1, ... as fast as it can, kills it with SIGKILL once it
   * has written at least `writes` times, and gives the last n it has said to be written.
   */
  crash(writes: number): Promise<number>;
}

/** A record for tests: `generation` is in it and makes it longer, so that a half-written one is told from a whole one. */
export function journalRecord(sandboxId: string, generation: number): InstanceRecord {
  const instanceId = `c-${sandboxId}`;
  const address = { kind: 'frames', path: `/run/${sandboxId}/s` } as const;
  const timings = { sandboxMs: 1, runtimeMs: 2.5, codeMs: 3, initializerMs: 4, from: 'pool' } as const;
  return {
    sandboxId,
    order: {
      instanceId,
      requestId: `1-${generation}`,
      spec: {
        key: `1234567890123456/hello/LATEST@${generation}`,
        account: '1234567890123456',
        functionName: 'hello',
        functionArn: 'acs:fc:local:1234567890123456:functions/hello/LATEST',
        versionId: 'LATEST',
        config: {
          ...defaultConfig('nodejs20', 'index.handler'),
          environmentVariables: { TEXT: 'ü'.repeat((generation * 1_000) % 400_000) },
        },
        code: { owner: '1234567890123456', digest: '0'.repeat(64), checksum: '0', size: 0 },
        layers: [],
      },
    },
    address,
    started: { instanceId, nodeId: 'n', address, timings, startLog: 'loaded\n' },
  };
}

function sorted(records: readonly InstanceRecord[]): readonly InstanceRecord[] {
  return records.toSorted((a, b) => a.sandboxId.localeCompare(b.sandboxId));
}

/** What every instance journal promises. `place` makes a fresh, empty one and cleans up after the test. */
export function instanceJournalSuite(
  name: string,
  place: (test: TestContext) => Promise<InstanceJournalPlace> | InstanceJournalPlace,
): void {
  describe(`${name}: instance journal`, () => {
    it('what was written is listed by the next agent, as it was', async (test) => {
      const { open } = await place(test);
      const journal = open();
      assert.deepEqual(journal.list(), []);
      const [one, two] = [journalRecord('one', 1), journalRecord('two', 2)];
      journal.write(one);
      journal.write(two);
      assert.deepEqual(sorted(open().list()), [one, two]);
      assert.deepEqual(sorted(journal.list()), [one, two]);
    });

    it('of one sandbox the last record counts', async (test) => {
      const { open } = await place(test);
      const journal = open();
      journal.write(journalRecord('one', 9));
      journal.write(journalRecord('one', 1));
      assert.deepEqual(open().list(), [journalRecord('one', 1)]);
    });

    it('what was removed is gone, and may be removed again', async (test) => {
      const { open } = await place(test);
      const journal = open();
      journal.write(journalRecord('one', 1));
      journal.write(journalRecord('two', 1));
      journal.remove('one');
      journal.remove('one');
      journal.remove('never');
      assert.deepEqual(open().list(), [journalRecord('two', 1)]);
    });

    it('a writer killed at any moment leaves a whole record, none older than it said', async (test) => {
      const { open, crash } = await place(test);
      // The records of late generations are long: much of the writer's time goes into the write itself.
      for (let round = 0; round < 8; round++) {
        const said = await crash(150 + round * 19);
        const [record, ...others] = open().list();
        assert.deepEqual(others, []);
        const generation = Number(record?.order.requestId.slice(2));
        assert.ok(generation >= said, `record ${generation} is older than the answered write ${said}`);
        assert.deepEqual(record, journalRecord('crash', generation));
      }
    });
  });
}
