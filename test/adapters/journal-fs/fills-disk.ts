import { join } from 'node:path';
import { JournalFiles } from '../../../src/adapters/journal-fs/journal-files.ts';
import { silentLogger } from '../../../src/core/base/log.ts';
import { journalRecord } from '../../../src/core/ports/instance-journal.suite.ts';

const [, , dir = ''] = process.argv;
const journal = new JournalFiles(join(dir, 'j'), silentLogger);
journal.write(journalRecord('one', 1));
let failure = '';
try {
  // Generation 399 is 800 KB long: the disk takes a part of it.
  journal.write(journalRecord('one', 399));
} catch (error) {
  failure = String(error);
}
const kept = journal.list().map((record) => record.order.requestId);
process.stdout.write(JSON.stringify({ failure, kept }));
