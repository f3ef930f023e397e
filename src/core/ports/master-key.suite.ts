import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { MasterKey } from './master-key.ts';

/** One place where a master key is kept. */
export interface MasterKeyPlace {
  open(): MasterKey;
  /** Makes another key the current one. */
  rotate(): void;
}

const SECRET = Buffer.alloc(32, 9);

/** What every master key promises. `place` makes a fresh one and cleans up after the test. */
export function masterKeySuite(name: string, place: (test: TestContext) => Promise<MasterKeyPlace>): void {
  describe(`${name}: master key`, () => {
    it('unwraps what it wrapped, also as another process', async (test) => {
      const where = await place(test);
      const wrapped = await where.open().wrap(SECRET, 'about');
      assert.equal(Buffer.from(wrapped.wrapped).includes(SECRET), false);
      assert.deepEqual(Buffer.from(await where.open().unwrap(wrapped, 'about')), SECRET);
    });

    it('refuses another context, changed bytes, and keys it does not have', async (test) => {
      const key = (await place(test)).open();
      const wrapped = await key.wrap(SECRET, 'about');
      await assert.rejects(key.unwrap(wrapped, 'another'));
      const changed = Uint8Array.from(wrapped.wrapped);
      changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
      await assert.rejects(key.unwrap({ ...wrapped, wrapped: changed }, 'about'));
      await assert.rejects(key.unwrap({ ...wrapped, wrapped: new Uint8Array(3) }, 'about'));
      await assert.rejects(key.unwrap({ ...wrapped, master: 'm-none' }, 'about'));
    });

    it('says when it was rotated, and unwraps what was wrapped before', async (test) => {
      const where = await place(test);
      const key = where.open();
      const before = key.current();
      const wrapped = await key.wrap(SECRET, 'about');
      const rotated = Promise.withResolvers<void>();
      key.onRotated(() => rotated.resolve());
      where.rotate();
      await rotated.promise;
      assert.notEqual(key.current(), before);
      assert.deepEqual(Buffer.from(await key.unwrap(wrapped, 'about')), SECRET);
      assert.equal((await key.wrap(SECRET, 'about')).master, key.current());
    });
  });
}
