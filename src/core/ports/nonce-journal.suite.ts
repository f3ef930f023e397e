import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { NONCE_WRITE_MS, type NonceJournal } from './nonce-journal.ts';

/** One place where nonces are kept. */
export interface NonceJournalPlace {
  /** Opens it as every new server does. `reboot`: the machine went down since it was opened last. */
  open(options?: { reboot?: boolean }): Promise<NonceJournal>;
  /** Lets wall-clock time pass. */
  pass(ms: number): void;
  /** Wall-clock milliseconds. */
  now(): number;
  readonly windowSeconds: number;
  /**
   * Lets another process append `crashNonce(0)`, `crashNonce(1)`, ... a few each millisecond at second `second`, kills it with
   * SIGKILL and gives how many it had appended `NONCE_WRITE_MS` and a margin before.
   */
  crash(second: number): Promise<number>;
  /** Cuts the end of what was written last, as a kill in the middle of a write does. */
  tear(): Promise<void>;
}

/** Uses all 52 bits. */
export function crashNonce(number: number): number {
  return number * 4_294_967_311 + 1;
}

type Pair = readonly [second: number, fingerprint: number];

function recalled(journal: NonceJournal): Pair[] {
  const pairs: Pair[] = [];
  journal.recall((second, fingerprint) => pairs.push([second, fingerprint]));
  return pairs.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]);
}

/** What every nonce journal promises. `place` makes a fresh, empty one and cleans up after the test. */
export function nonceJournalSuite(name: string, place: (test: TestContext) => Promise<NonceJournalPlace>): void {
  describe(`${name}: nonce journal`, () => {
    it('what one server let in is known to the next, and to the one after that', async (test) => {
      const here = await place(test);
      const now = Math.floor(here.now() / 1_000);
      const pairs: Pair[] = [
        [now - 800, 5],
        [now, 1],
        [now, 2 ** 52],
        [now + 800, 7],
      ];
      let journal = await here.open();
      assert.deepEqual(recalled(journal), []);
      assert.equal(journal.floor, Number.NEGATIVE_INFINITY);
      for (const [second, fingerprint] of pairs) journal.append(second, fingerprint);
      await journal.close();
      journal = await here.open();
      assert.deepEqual(recalled(journal), pairs);
      journal.append(now, 3);
      await journal.close();
      journal = await here.open({ reboot: true });
      assert.deepEqual(recalled(journal), [...pairs.slice(0, 2), [now, 3], ...pairs.slice(2)]);
      assert.equal(journal.floor, Number.NEGATIVE_INFINITY, 'a machine that was shut down in order loses nothing');
      await journal.close();
    });

    it('a raised floor stays raised while it matters', async (test) => {
      const here = await place(test);
      const now = Math.floor(here.now() / 1_000);
      const journal = await here.open();
      journal.raiseFloor(now - 100);
      journal.raiseFloor(now - 200);
      assert.equal(journal.floor, now - 100);
      await journal.close();
      const next = await here.open();
      assert.equal(next.floor, now - 100);
      assert.deepEqual(recalled(next), []);
      await next.close();
    });

    it('after a machine that went down, requests from before are refused, by all later servers', async (test) => {
      const here = await place(test);
      const journal = await here.open();
      journal.append(Math.floor(here.now() / 1_000), 1);
      here.pass(5_000);
      const second = Math.floor(here.now() / 1_000);
      const next = await here.open({ reboot: true });
      assert.equal(next.floor, second);
      here.pass(5_000);
      // Killed, not closed: but the machine runs on.
      const third = await here.open();
      assert.equal(third.floor, second);
      for (const each of [journal, next, third]) await each.close();
    });

    it('what is outdated goes', async (test) => {
      const here = await place(test);
      const journal = await here.open();
      journal.append(Math.floor(here.now() / 1_000), 1);
      await journal.close();
      here.pass((here.windowSeconds + 121) * 1_000);
      const second = Math.floor(here.now() / 1_000);
      const next = await here.open();
      assert.deepEqual(recalled(next), []);
      next.append(second, 2);
      await next.close();
      const third = await here.open();
      assert.deepEqual(recalled(third), [[second, 2]]);
      await third.close();
    });

    it(`a server that is killed takes what it let in during the last ${NONCE_WRITE_MS} ms with it, and no more`, async (test) => {
      const here = await place(test);
      for (let round = 0; round < 3; round++) {
        const second = Math.floor(here.now() / 1_000) + round;
        const least = await here.crash(second);
        const journal = await here.open();
        const known = new Set(recalled(journal).flatMap(([at, print]) => (at === second ? [print] : [])));
        assert.ok(least > 0);
        for (let n = 0; n < least; n++) assert.ok(known.has(crashNonce(n)), `${n} of ${least}`);
        await journal.close();
      }
    });

    it('a torn record is no record, and does not spoil those that come after it', async (test) => {
      const here = await place(test);
      const second = Math.floor(here.now() / 1_000);
      const journal = await here.open();
      journal.append(second, 1);
      journal.append(second, 2);
      await journal.close();
      await here.tear();
      const next = await here.open();
      assert.deepEqual(recalled(next), [[second, 1]]);
      next.append(second, 3);
      await next.close();
      const third = await here.open();
      assert.deepEqual(recalled(third), [
        [second, 1],
        [second, 3],
      ]);
      await third.close();
    });
  });
}
