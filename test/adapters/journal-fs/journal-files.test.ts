import assert from 'node:assert/strict';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { JournalFiles } from '../../../src/adapters/journal-fs/journal-files.ts';
import { silentLogger } from '../../../src/core/base/log.ts';
import { instanceJournalSuite, journalRecord } from '../../../src/core/ports/instance-journal.suite.ts';
import { noSmallDisk, onSmallDisk } from '../full-disk.ts';
import { killAfterLines } from '../killed-child.ts';
import { temporaryFolder } from '../temporary-folder.ts';

instanceJournalSuite('journal-fs', async (context) => {
  const folder = join(await temporaryFolder(context), 'j');
  return {
    open: () => new JournalFiles(folder, silentLogger),
    async crash(writes) {
      const lines = await killAfterLines(new URL('./endless-writer.ts', import.meta.url), [folder], writes);
      return Number(lines.at(-1));
    },
  };
});

test('a write that the disk cuts short leaves the record before it', { skip: noSmallDisk }, async (context) => {
  const script = new URL('./fills-disk.ts', import.meta.url);
  const result = (await onSmallDisk(script, await temporaryFolder(context), '512k')) as {
    failure: string;
    kept: string[];
  };
  assert.match(result.failure, /ENOSPC/);
  assert.deepEqual(result.kept, ['1-1']);
});

test('records are readable by their owner alone: they hold environment variables', async (context) => {
  const folder = join(await temporaryFolder(context), 'j');
  new JournalFiles(folder, silentLogger).write(journalRecord('one', 1));
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.equal(statSync(join(folder, 'one.json')).mode & 0o777, 0o600);
});

test('half-written and foreign files are skipped and swept', async (context) => {
  const folder = join(await temporaryFolder(context), 'j');
  const journal = new JournalFiles(folder, silentLogger);
  const one = journalRecord('one', 1);
  journal.write(one);
  writeFileSync(join(folder, 'two.json.new'), '{"half');
  writeFileSync(join(folder, 'three.json'), 'junk');
  writeFileSync(join(folder, 'four.json'), JSON.stringify(one));
  assert.deepEqual(journal.list(), [one]);
  assert.deepEqual(readdirSync(folder), ['one.json']);
});
