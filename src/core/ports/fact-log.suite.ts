import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Fact } from '../domain/fact.ts';
import type { FactLog } from './fact-log.ts';

/** One place where a log keeps its data. Its clock is `time`, which tests move; its timers never fire. */
export interface FactLogPlace {
  open(retention?: { maxAgeMs: number; maxBytes: number }): Promise<FactLog>;
  readonly time: { now: number };
}

function output(functionName: string, n: number, requestId = `r${n}`): Fact {
  const text = `line ${n}\n"quoted" ü`;
  return {
    type: 'output-written',
    at: 1000 + n,
    account: 'acct',
    functionName,
    requestId,
    instanceId: 'i',
    versionId: 'LATEST',
    text,
  };
}

function gone(functionName: string, n: number): Fact {
  return {
    type: 'instance-gone',
    at: 1000 + n,
    account: 'acct',
    functionName,
    instanceId: `i${n}`,
    versionId: '1',
    reason: 'idle',
  };
}

const times = (facts: readonly Fact[]) => facts.map((fact) => fact.at - 1000);

/** What every fact log promises. `place` makes a fresh, empty one and cleans up after the test. */
export function factLogSuite(name: string, place: (test: TestContext) => Promise<FactLogPlace>): void {
  const withLog = (title: string, body: (log: FactLog, place: FactLogPlace) => Promise<void>) =>
    void it(title, async (test) => {
      const where = await place(test);
      const log = await where.open();
      try {
        await body(log, where);
      } finally {
        await log.close();
      }
    });
  const of = (functionName: string) => ({ account: 'acct', functionName, limit: 1000 });

  describe(`${name}: fact log`, () => {
    withLog('reads back what was appended, unflushed ones too, in order per function', async (log) => {
      for (let n = 0; n < 100; n++) log.append(n % 3 === 0 ? gone('f', n) : output(n % 2 === 0 ? 'f' : 'g', n));
      const { facts } = await log.read(of('f'));
      assert.deepEqual(
        facts,
        Array.from({ length: 100 }, (_, n) => n)
          .filter((n) => n % 3 === 0 || n % 2 === 0)
          .map((n) => (n % 3 === 0 ? gone('f', n) : output('f', n))),
      );
      assert.deepEqual((await log.read(of('none'))).facts, []);
      assert.deepEqual((await log.read({ ...of('f'), account: 'other' })).facts, []);
    });

    withLog('pages by cursor without gap or repetition, while more is appended', async (log) => {
      for (let n = 0; n < 50; n++) log.append(output('f', n));
      const seen: number[] = [];
      let after: string | undefined;
      for (let page = 0; page < 20; page++) {
        const read = await log.read({ ...of('f'), limit: 7, ...(after === undefined ? {} : { after }) });
        seen.push(...times(read.facts));
        after = read.cursor;
        if (page < 10) log.append(output('f', 50 + page));
      }
      assert.deepEqual(
        seen,
        Array.from({ length: 60 }, (_, n) => n),
      );
    });

    withLog('a cursor of an empty page continues with what comes', async (log) => {
      const empty = await log.read(of('f'));
      const newest = await log.latest(of('f'));
      log.append(output('f', 1));
      assert.equal((await log.read({ ...of('f'), after: empty.cursor })).facts.length, 1);
      assert.equal((await log.read({ ...of('f'), after: newest.cursor })).facts.length, 1);
      await assert.rejects(log.read({ ...of('f'), after: 'not a cursor' }));
    });

    withLog('filters by type, request and time', async (log) => {
      for (let n = 0; n < 30; n++) {
        log.append(output('f', n, `r${n % 5}`));
        log.append(gone('f', n));
        log.append(output('g', n, 'r3'));
      }
      const select = async (query: object) => times((await log.read({ ...of('f'), ...query })).facts);
      assert.equal((await select({ types: ['instance-gone'] })).length, 30);
      assert.equal((await select({ types: ['instance-gone', 'output-written'] })).length, 60);
      assert.deepEqual(await select({ types: [] }), []);
      assert.deepEqual(await select({ requestId: 'r3' }), [3, 8, 13, 18, 23, 28]);
      assert.deepEqual(await select({ requestId: 'r3', limit: 2 }), [3, 8]);
      assert.deepEqual(await select({ requestId: 'r3', types: ['instance-gone'] }), []);
      assert.deepEqual(await select({ types: ['instance-gone'], since: 1027 }), [27, 28, 29]);
      assert.deepEqual(await select({ requestId: 'r3', since: 1014 }), [18, 23, 28]);
      assert.deepEqual(await select({ since: 9999 }), []);
    });

    withLog('gives the newest, oldest of them first', async (log) => {
      for (let n = 0; n < 40; n++) log.append(n % 2 === 0 ? output('f', n, `r${n % 4}`) : gone('f', n));
      const page = await log.latest({ ...of('f'), limit: 3 });
      assert.deepEqual(times(page.facts), [37, 38, 39]);
      assert.deepEqual(times((await log.latest({ ...of('f'), limit: 2, types: ['output-written'] })).facts), [36, 38]);
      assert.deepEqual(times((await log.latest({ ...of('f'), limit: 2, requestId: 'r0' })).facts), [32, 36]);
      log.append(output('f', 40));
      assert.deepEqual(times((await log.read({ ...of('f'), after: page.cursor })).facts), [40]);
    });

    withLog('tells subscribers at once', async (log) => {
      const seen: Fact[] = [];
      const listening = log.subscribe((fact) => seen.push(fact));
      log.append(output('f', 1));
      assert.deepEqual(seen, [output('f', 1)]);
      listening.dispose();
      log.append(output('f', 2));
      assert.equal(seen.length, 1);
    });

    withLog('what was flushed or open at close is there after opening again', async (log, where) => {
      log.append(output('f', 1));
      await log.flush();
      log.append(output('f', 2));
      const { cursor } = await log.read({ ...of('f'), limit: 1 });
      log.append(output('f', 3));
      await log.close();
      const again = await where.open();
      assert.deepEqual(times((await again.read(of('f'))).facts), [1, 2, 3]);
      assert.deepEqual(times((await again.read({ ...of('f'), after: cursor })).facts), [2, 3]);
      await again.close();
    });

    it('drops the oldest beyond its bytes', async (test) => {
      const log = await (await place(test)).open({ maxAgeMs: 1e12, maxBytes: 100_000 });
      for (let n = 0; n < 5000; n++) {
        log.append(output('f', n));
        if (n % 50 === 49) await log.flush();
      }
      const kept = times((await log.read({ ...of('f'), limit: 10_000 })).facts);
      assert.ok(kept.length < 1000 && kept.length > 100, `${kept.length} facts of about 300 bytes in 100,000`);
      assert.equal(kept.at(-1), 4999);
      assert.deepEqual(
        kept,
        kept.map((_, index) => 5000 - kept.length + index),
        'what is left is the newest, without gaps',
      );
      for (const first of [4999, 4990, 4900, 4850, 4801]) {
        const { facts } = await log.read({ ...of('f'), since: 1000 + first, limit: 10_000 });
        assert.deepEqual([facts.length, times(facts)[0]], [5000 - first, first]);
      }
      await log.close();
    });

    it('drops what is too old; numbering goes on even when nothing is left', async (test) => {
      const where = await place(test);
      let log = await where.open({ maxAgeMs: 1600, maxBytes: 1e9 });
      where.time.now = 10_000;
      for (let n = 0; n < 10; n++) {
        where.time.now += 200;
        log.append(output('f', n));
        await log.flush();
      }
      const { cursor, facts } = await log.read(of('f'));
      assert.ok(facts.length >= 7 && facts.length <= 9, `${facts.length} facts within 1.6 s of 200 ms steps`);
      where.time.now += 5000;
      log.append(output('other', 10));
      await log.flush();
      await log.close();
      where.time.now += 5000;
      log = await where.open({ maxAgeMs: 1600, maxBytes: 1e9 });
      assert.deepEqual((await log.read(of('f'))).facts, []);
      assert.deepEqual((await log.read(of('other'))).facts, [], 'nothing at all is left');
      log.append(output('f', 11));
      assert.deepEqual(times((await log.read({ ...of('f'), after: cursor })).facts), [11]);
      await log.close();
    });

    withLog('flush and read end although facts keep coming', async (log) => {
      const enough = new AbortController();
      const appending = (async () => {
        for (let n = 0; !enough.signal.aborted; n++) {
          log.append(output('f', n));
          if (n % 20 === 0) await new Promise(setImmediate);
        }
      })();
      await log.flush();
      await log.read(of('f'));
      enough.abort();
      await appending;
    });

    withLog('takes 20,000 facts in one go', async (log) => {
      for (let n = 0; n < 20_000; n++) log.append(output('f', n));
      await log.flush();
      assert.deepEqual(times((await log.latest({ ...of('f'), limit: 2 })).facts), [19_998, 19_999]);
    });
  });
}
