import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openFactLog } from '../../../src/adapters/facts-sqlite/index.ts';
import { toDisposable } from '../../../src/core/base/disposable.ts';
import { factLogSuite } from '../../../src/core/ports/fact-log.suite.ts';
import type { Fact } from '../../../src/core/domain/fact.ts';
import { noSmallDisk, onSmallDisk } from '../full-disk.ts';
import { temporaryFolder } from '../temporary-folder.ts';

factLogSuite('facts-sqlite', async (test) => {
  const path = join(await temporaryFolder(test), 'facts.db');
  const time = { now: 0 };
  const clock = { now: () => time.now, monotonic: () => time.now, after: () => toDisposable(() => {}) };
  return {
    time,
    open: (retention) => openFactLog({ path, clock, ...(retention === undefined ? {} : { retention }) }),
  };
});

const fact: Fact = {
  type: 'instance-gone',
  at: 1,
  account: 'a',
  functionName: 'f',
  instanceId: 'i',
  versionId: '1',
  reason: 'idle',
};

describe('facts-sqlite', () => {
  it('flushes by itself when the flush time has passed', async (test) => {
    const path = join(await temporaryFolder(test), 'facts.db');
    const timers: { delayMs: number; action: () => void }[] = [];
    const clock = {
      now: () => 0,
      monotonic: () => 0,
      after(delayMs: number, action: () => void) {
        timers.push({ delayMs, action });
        return toDisposable(() => {});
      },
    };
    const log = await openFactLog({ path, clock });
    log.append(fact);
    log.append(fact);
    const due = timers.filter((timer) => timer.delayMs === 100);
    assert.equal(due.length, 1, 'one timer for all that gathers');
    due[0]?.action();
    // Another reader of the same file sees only what has been committed.
    const { DatabaseSync } = await import('node:sqlite');
    const db = new DatabaseSync(path, { readOnly: true });
    const count = db.prepare('SELECT count(*) AS count FROM facts');
    while (count.get()?.['count'] !== 2) await new Promise(setImmediate);
    db.close();
    await log.close();
  });

  it('a full disk rejects flush, loses nothing it has room for, and goes on when there is room', {
    skip: noSmallDisk,
  }, async (test) => {
    const dir = await temporaryFolder(test);
    const result = await onSmallDisk(new URL('./fills-disk.ts', import.meta.url), dir, '3m');
    const { failure, reported, appended, readable } = result as Record<string, unknown>;
    assert.match(String(failure), /TidemillError.*(full|I\/O)/);
    assert.equal(reported, true);
    assert.equal(readable, appended);
  });
});
