import assert from 'node:assert/strict';
import { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openAuditLog } from '../../../src/adapters/audit-files/index.ts';
import { auditEntry, auditLogSuite } from '../../../src/core/ports/audit-log.suite.ts';
import { killAfterLines } from '../killed-child.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const SECRET = Buffer.alloc(32, 1);

auditLogSuite('audit-files', async (context) => {
  const dir = join(await temporaryFolder(context), 'audit');
  return {
    open: (keptBytes = 1e9) =>
      openAuditLog({ dir, secret: SECRET, keptBytes, fileBytes: keptBytes === 1e9 ? 1e6 : keptBytes / 5 }),
    crash: (answers) => killAfterLines(new URL('./endless-writer.ts', import.meta.url), [dir], answers),
    async edit(change) {
      const [name = ''] = readdirSync(dir);
      const path = join(dir, name);
      const lines = change(readFileSync(path, 'utf8').split('\n').slice(0, -1));
      writeFileSync(path, lines.map((line) => `${line}\n`).join(''));
    },
  };
});

test('for its owner alone; a line that a kill cut is taken away; another secret does not verify', async (context) => {
  const dir = join(await temporaryFolder(context), 'audit');
  const options = { dir, secret: SECRET, keptBytes: 1e9 };
  const log = await openAuditLog(options);
  await log.append(auditEntry('a'));
  await log.close();
  const [name = ''] = readdirSync(dir);
  assert.equal(statSync(dir).mode & 0o777, 0o700);
  assert.equal(statSync(join(dir, name)).mode & 0o777, 0o600);
  appendFileSync(join(dir, name), '{"number":2,"seal":"x"}\t{"at":1');
  const again = await openAuditLog(options);
  await again.append(auditEntry('b'));
  assert.deepEqual(await again.verify(), { sound: true, from: 1, to: 2 });
  await again.close();
  const stranger = await openAuditLog({ ...options, secret: Buffer.alloc(32, 2) });
  assert.equal((await stranger.verify()).sound, false);
  await stranger.close();
});
