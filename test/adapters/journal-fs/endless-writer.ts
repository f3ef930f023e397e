import { writeSync } from 'node:fs';
import { JournalFiles } from '../../../src/adapters/journal-fs/journal-files.ts';
import { silentLogger } from '../../../src/core/base/log.ts';
import { journalRecord } from '../../../src/core/ports/instance-journal.suite.ts';

const [, , folder = ''] = process.argv;
const journal = new JournalFiles(folder, silentLogger);
for (let n = 0; ; n++) {
  journal.write(journalRecord('crash', n));
  writeSync(1, `${n}\n`);
}
