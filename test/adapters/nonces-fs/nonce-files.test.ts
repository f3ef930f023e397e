import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openNonceJournal } from '../../../src/adapters/nonces-fs/index.ts';
import { silentLogger } from '../../../src/core/base/log.ts';
import { nonceJournalSuite } from '../../../src/core/ports/nonce-journal.suite.ts';
import { NONCE_WRITE_MS } from '../../../src/core/ports/nonce-journal.ts';
import { SimulatedClock } from '../../services/scheduler/simulated-clock.ts';
import { killAfterLines } from '../killed-child.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const WINDOW = 900;

function minutesIn(dir: string): string[] {
  return readdirSync(dir).filter((name) => /^\d+$/.test(name));
}

nonceJournalSuite('nonces-fs', async (context) => {
  const dir = join(await temporaryFolder(context), 'nonces');
  const clock = new SimulatedClock();
  let passed = 0;
  let boots = 0;
  const now = (): number => clock.now() + passed;
  const time = { now, monotonic: () => 0, after: clock.after.bind(clock) };
  return {
    open: ({ reboot = false } = {}) => {
      if (reboot) boots++;
      const boot = boots === 0 ? 'b' : `b${boots}`;
      return openNonceJournal({ dir, windowSeconds: WINDOW, clock: time, logger: silentLogger, boot });
    },
    pass: (ms) => void (passed += ms),
    now,
    windowSeconds: WINDOW,
    async crash(second) {
      const script = new URL('./endless-appender.ts', import.meta.url);
      const lines = await killAfterLines(script, [dir, String(second), String(WINDOW)], 60);
      return Number(lines.at(-1));
    },
    async tear() {
      const path = join(dir, minutesIn(dir).at(-1) ?? '');
      truncateSync(path, statSync(path).size - 5);
    },
  };
});

test('written unasked within its time; files are the owner’s alone and go when they are outdated', async (context) => {
  const dir = join(await temporaryFolder(context), 'nonces');
  const clock = new SimulatedClock();
  const journal = await openNonceJournal({ dir, windowSeconds: WINDOW, clock, logger: silentLogger });
  const second = Math.floor(clock.now() / 1_000);
  for (let n = 1; n <= 1_000; n++) journal.append(second, n);
  await clock.advance(NONCE_WRITE_MS);
  while (minutesIn(dir).length === 0 || statSync(join(dir, minutesIn(dir)[0] ?? '')).size < 12_000) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (const path of [dir, join(dir, 'boot'), join(dir, minutesIn(dir)[0] ?? '')]) {
    assert.equal(statSync(path).mode & 0o077, 0, path);
  }
  assert.match(readFileSync(join(dir, 'boot'), 'utf8'), / open$/);
  await clock.advance((WINDOW + 200) * 1_000);
  while (minutesIn(dir).length > 0) await new Promise((resolve) => setImmediate(resolve));
  journal.append(Math.floor(clock.now() / 1_000), 1);
  await journal.close();
  assert.equal(minutesIn(dir).length, 1);
  assert.match(readFileSync(join(dir, 'boot'), 'utf8'), / closed$/);
});

test('a disk that takes nothing holds up nobody; what was let in meanwhile is written later', async (context) => {
  const dir = join(await temporaryFolder(context), 'nonces');
  const clock = new SimulatedClock();
  const told: string[] = [];
  const logger = { log: (_level: string, message: string) => void told.push(message) };
  const journal = await openNonceJournal({ dir, windowSeconds: WINDOW, clock, logger });
  const second = Math.floor(clock.now() / 1_000);
  const { rename } = await import('node:fs/promises');
  await rename(dir, `${dir}-away`);
  journal.append(second, 1);
  await clock.advance(NONCE_WRITE_MS);
  while (told.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.match(told[0] ?? '', /nonces cannot be written/);
  await rename(`${dir}-away`, dir);
  journal.append(second, 2);
  await clock.advance(1_000);
  await journal.close();
  const next = await openNonceJournal({ dir, windowSeconds: WINDOW, clock, logger });
  const known: number[] = [];
  next.recall((_second, fingerprint) => known.push(fingerprint));
  assert.deepEqual(known, [1, 2]);
  await next.close();
});
