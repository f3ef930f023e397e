import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { JournalFiles } from '../../../src/adapters/journal-fs/journal-files.ts';
import { silentLogger } from '../../../src/core/base/log.ts';
import type { InstanceRecord } from '../../../src/core/ports/instance-journal.ts';
import { orderOf } from '../../services/node/fakes.ts';

function folderFor(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'journal-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'j');
}

function record(sandboxId: string): InstanceRecord {
  const { credentials: _, ...order } = orderOf();
  const address = { kind: 'frames', path: `/run/${sandboxId}` } as const;
  const timings = { sandboxMs: 1, runtimeMs: 2, codeMs: 3, initializerMs: 4, from: 'pool' } as const;
  const started = { instanceId: order.instanceId, nodeId: 'n', address, timings, startLog: '' };
  return { sandboxId, order, address, started };
}

test('what was written is listed by the next process, until it is removed', (context) => {
  const folder = folderFor(context);
  const journal = new JournalFiles(folder, silentLogger);
  const [one, two] = [record('one'), record('two')];
  journal.write(one);
  journal.write(two);
  journal.write(two);
  const next = new JournalFiles(folder, silentLogger);
  assert.deepEqual(
    [...next.list()].sort((a, b) => a.sandboxId.localeCompare(b.sandboxId)),
    [one, two],
  );
  next.remove('one');
  next.remove('one');
  assert.deepEqual(journal.list(), [two]);
  assert.equal(statSync(join(folder, 'two.json')).mode & 0o777, 0o600);
});

test('half-written and foreign files are skipped and swept', (context) => {
  const folder = folderFor(context);
  const journal = new JournalFiles(folder, silentLogger);
  const one = record('one');
  journal.write(one);
  writeFileSync(join(folder, 'two.json.new'), '{"half');
  writeFileSync(join(folder, 'three.json'), 'junk');
  writeFileSync(join(folder, 'four.json'), JSON.stringify(one));
  assert.deepEqual(journal.list(), [one]);
  assert.deepEqual(readdirSync(folder), ['one.json']);
});
