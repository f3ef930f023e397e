import { openAuditLog } from '../../../src/adapters/audit-files/index.ts';
import { auditEntry } from '../../../src/core/ports/audit-log.suite.ts';

/** Appends without end, and says a line for each record that is on disk. */
const [dir = ''] = process.argv.slice(2);
const log = await openAuditLog({ dir, secret: Buffer.alloc(32, 1), keptBytes: 1e9 });
for (let number = 0; ; number++) {
  await log.append(auditEntry(`r${number}`));
  process.stdout.write(`${number}\n`);
}
