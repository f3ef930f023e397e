import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { FailedCall, FailedCallBounds, FailedCalls } from './failed-calls.ts';

/** One place where failed calls are kept. */
export interface FailedCallsPlace {
  /** Opens it, as every new server does; the one before was closed or killed. */
  open(bounds: FailedCallBounds): Promise<FailedCalls>;
  /** Bytes that lie there now. */
  bytes(): Promise<number>;
  /** Lets wall-clock time pass for those that are opened. */
  pass(ms: number): void;
  /** Wall clock. */
  now(): number;
  /** Kills, without closing it, a process that keeps calls `crash-0`, `crash-1`, ... with `crashPayload(n)` of `f`. */
  crash(): Promise<void>;
}

const KIB = 1_024;
const BOUNDS: FailedCallBounds = { payloadBytes: 64 * KIB, perFunction: 5, bytes: 1_024 * KIB, keptMs: 60_000 };

/** Told from a half-written one: its length and every byte of it depend on the number. */
export function crashPayload(number: number): Uint8Array {
  return new Uint8Array((number * 997) % (48 * KIB)).fill(number % 251);
}

/** What every keeper of failed calls promises. `place` makes a fresh, empty one and cleans up after the test. */
export function failedCallsSuite(name: string, place: (test: TestContext) => Promise<FailedCallsPlace>): void {
  const call = (here: FailedCallsPlace, requestId: string, more: Partial<FailedCall> = {}): FailedCall => ({
    account: '1',
    functionName: 'f',
    qualifier: 'prod',
    requestId,
    at: here.now(),
    payload: Buffer.from(`of ${requestId}`),
    ...more,
  });

  const textOf = (found: FailedCall | undefined): string | undefined =>
    found === undefined ? undefined : Buffer.from(found.payload).toString();

  describe(`${name}: failed calls`, () => {
    it('what was kept is found as it was, at once and by the next server', async (test) => {
      const here = await place(test);
      const calls = await here.open(BOUNDS);
      const payload = Buffer.from([0, 10, 255, 10, 0]);
      const one = call(here, 'one', { payload });
      calls.keep(one);
      payload.fill(7); // the caller's buffer is used again
      const expected = { ...one, payload: Uint8Array.from([0, 10, 255, 10, 0]) };
      const found = await calls.find('1', 'one');
      assert.deepEqual({ ...found, payload: Uint8Array.from(found?.payload ?? []) }, expected);
      await calls.close();
      const next = await here.open(BOUNDS);
      assert.equal((await next.find('1', 'one', 'f'))?.qualifier, 'prod');
      await next.close();
    });

    it('accounts and functions are told apart', async (test) => {
      const here = await place(test);
      const calls = await here.open(BOUNDS);
      calls.keep(call(here, 'same', { payload: Buffer.from('f') }));
      calls.keep(call(here, 'same', { functionName: 'g', payload: Buffer.from('g') }));
      assert.equal(await calls.find('2', 'same'), undefined);
      assert.equal(await calls.find('1', 'other'), undefined);
      assert.equal(await calls.find('1', 'same', 'h'), undefined);
      assert.equal(textOf(await calls.find('1', 'same', 'f')), 'f');
      assert.equal(textOf(await calls.find('1', 'same', 'g')), 'g');
      assert.equal(textOf(await calls.find('1', 'same')), 'g');
      await calls.close();
    });

    it('of one call the last failure counts', async (test) => {
      const here = await place(test);
      const calls = await here.open(BOUNDS);
      for (const text of ['first', 'second', 'third']) {
        calls.keep(call(here, 'one', { payload: Buffer.from(text) }));
        assert.equal(textOf(await calls.find('1', 'one')), text);
        here.pass(1);
      }
      await calls.close();
      const next = await here.open(BOUNDS);
      assert.equal(textOf(await next.find('1', 'one')), 'third');
      await next.close();
    });

    it('bounded per function, in bytes, in age and in the length of a payload', async (test) => {
      const here = await place(test);
      let calls = await here.open(BOUNDS);
      for (let i = 0; i < 8; i++) {
        calls.keep(call(here, `r${i}`));
        here.pass(1);
      }
      calls.keep(call(here, 'long', { payload: new Uint8Array(64 * KIB + 1) }));
      assert.equal(await calls.find('1', 'long'), undefined);
      assert.equal(await calls.find('1', 'r2'), undefined);
      assert.equal(textOf(await calls.find('1', 'r3')), 'of r3');
      for (let i = 0; i < 30; i++) {
        calls.keep(call(here, `b${i}`, { functionName: `f${i}`, payload: new Uint8Array(60 * KIB) }));
        await calls.find('1', `b${i}`);
        here.pass(1);
      }
      assert.ok((await here.bytes()) <= BOUNDS.bytes, `${await here.bytes()} bytes`);
      assert.equal(await calls.find('1', 'r7'), undefined);
      assert.notEqual(await calls.find('1', 'b29'), undefined);
      here.pass(BOUNDS.keptMs + 1);
      assert.equal(await calls.find('1', 'b29'), undefined);
      await calls.close();
      calls = await here.open(BOUNDS);
      assert.equal(await here.bytes(), 0);
      await calls.close();
    });

    it('a storm of failures is bounded in memory, and keeping goes on after it', async (test) => {
      const here = await place(test);
      const calls = await here.open({ ...BOUNDS, perFunction: 100_000, bytes: 64 * 1_024 * KIB });
      const payload = new Uint8Array(32 * KIB);
      for (let i = 0; i < 20_000; i++) calls.keep(call(here, `s${i}`, { payload }));
      assert.notEqual(await calls.find('1', 's0'), undefined);
      assert.equal(await calls.find('1', 's19999'), undefined);
      assert.ok((await here.bytes()) <= 16 * 1_024 * KIB);
      calls.keep(call(here, 'after'));
      assert.equal(textOf(await calls.find('1', 'after')), 'of after');
      await calls.close();
    });

    it('of a forgotten function nothing is left, others stay', async (test) => {
      const here = await place(test);
      const calls = await here.open(BOUNDS);
      calls.keep(call(here, 'old'));
      calls.keep(call(here, 'other', { functionName: 'g' }));
      await calls.find('1', 'old');
      calls.keep(call(here, 'new'));
      await calls.forget('1', 'f');
      assert.equal(await calls.find('1', 'old'), undefined);
      assert.equal(await calls.find('1', 'new'), undefined);
      assert.equal(textOf(await calls.find('1', 'other')), 'of other');
      await calls.forget('1', 'g');
      assert.equal(await here.bytes(), 0);
      await calls.close();
    });

    it('a keeper that was killed left whole calls or none', async (test) => {
      const here = await place(test);
      await here.crash();
      const calls = await here.open({ ...BOUNDS, perFunction: 100_000, bytes: 64 * 1_024 * KIB, keptMs: 3_600_000 });
      let found = 0;
      for (let i = 0; i < 5_000; i++) {
        const kept = await calls.find('1', `crash-${i}`);
        if (kept === undefined) continue;
        found++;
        assert.deepEqual(Uint8Array.from(kept.payload), crashPayload(i));
      }
      assert.ok(found > 0);
      await calls.close();
    });
  });
}
