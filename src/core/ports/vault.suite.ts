import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Vault } from './vault.ts';

/** One place where a vault keeps its keys. */
export interface VaultPlace {
  /** Another process that uses the same keys. */
  open(): Promise<Vault>;
  /** Makes another master key the current one; resolves when everything is under it. */
  rotate(): Promise<void>;
}

async function* chunks(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let start = 0; start < bytes.byteLength; start += size) yield bytes.subarray(start, start + size);
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return Buffer.concat(parts);
}

const TEXT = Buffer.from('a secret of some length');

/** What every vault promises. `place` makes a fresh one and cleans up after the test. */
export function vaultSuite(name: string, place: (test: TestContext) => Promise<VaultPlace>): void {
  const opened = async (test: TestContext): Promise<Vault> => {
    const vault = await (await place(test)).open();
    for (const account of ['one', 'two']) await vault.ready(account);
    return vault;
  };

  describe(`${name}: vault`, () => {
    it('opens what it sealed, of any length, and says nothing of it meanwhile', async (test) => {
      const vault = await opened(test);
      for (const plain of [Buffer.alloc(0), TEXT, Buffer.alloc(100_000, 7)]) {
        const sealed = vault.seal('one', 'k/1', plain);
        assert.equal(sealed.byteLength, plain.byteLength + vault.overhead);
        assert.deepEqual(Buffer.from(vault.open('one', 'k/1', sealed)), plain);
      }
      assert.equal(Buffer.from(vault.seal('one', 'k', TEXT)).includes('secret'), false);
      assert.notDeepEqual(vault.seal('one', 'k', TEXT), vault.seal('one', 'k', TEXT));
    });

    it('refuses another account, another place, and every changed byte', async (test) => {
      const vault = await opened(test);
      const sealed = vault.seal('one', 'k', TEXT);
      assert.throws(() => vault.open('two', 'k', sealed), /does not open/);
      assert.throws(() => vault.open('one', 'l', sealed), /does not open/);
      assert.throws(() => vault.open('one', 'k', sealed.subarray(0, -1)), /does not open/);
      assert.throws(() => vault.open('one', 'k', new Uint8Array(0)), /does not open/);
      for (let at = 0; at < sealed.byteLength; at++) {
        const changed = Uint8Array.from(sealed);
        changed[at] = (changed[at] ?? 0) ^ 1;
        assert.throws(() => vault.open('one', 'k', changed), /does not open/, `byte ${at}`);
      }
    });

    it('wants an account to be made ready first, and does so once for many that wait', async (test) => {
      const vault = await (await place(test)).open();
      assert.throws(() => vault.seal('one', 'k', TEXT), /ready/);
      await Promise.all(Array.from({ length: 10 }, async () => vault.ready('one')));
      assert.equal(vault.ready('one'), undefined);
      vault.open('one', 'k', vault.seal('one', 'k', TEXT));
    });

    it('opens what another process sealed, also when both met the account first', async (test) => {
      const where = await place(test);
      const [left, right] = await Promise.all([where.open(), where.open()]);
      await Promise.all([left.ready('one'), right.ready('one')]);
      assert.deepEqual(Buffer.from(right.open('one', 'k', left.seal('one', 'k', TEXT))), TEXT);
      assert.deepEqual(Buffer.from(left.open('one', 'k', right.seal('one', 'k', TEXT))), TEXT);
    });

    it('goes on through a rotation, and opens afterwards what was sealed before', async (test) => {
      const where = await place(test);
      const vault = await where.open();
      await vault.ready('one');
      const before = vault.seal('one', 'k', TEXT);
      const rotating = where.rotate();
      const during = vault.seal('one', 'k', TEXT);
      await rotating;
      const later = await where.open();
      await later.ready('one');
      for (const sealed of [before, during, vault.seal('one', 'k', TEXT)])
        assert.deepEqual(Buffer.from(later.open('one', 'k', sealed)), TEXT);
    });

    it('opens streams of any length, whatever the chunks', async (test) => {
      const vault = await opened(test);
      for (const size of [0, 1, 65_535, 65_536, 65_537, 200_000]) {
        const plain = Buffer.alloc(size, 3);
        const sealed = await collect(vault.sealStream('one', chunks(plain, 10_007)));
        assert.equal(vault.plainSize(sealed.byteLength), size);
        assert.deepEqual(await collect(vault.openStream('one', chunks(sealed, 7_001))), plain);
      }
      for (const size of [0, 5, 16]) assert.equal(vault.plainSize(size), undefined);
    });

    it('refuses streams that were cut, lengthened, put in another order, or mixed', async (test) => {
      const vault = await opened(test);
      const plain = Buffer.alloc(200_000, 5);
      const sealed = await collect(vault.sealStream('one', chunks(plain, 65_536)));
      const other = await collect(vault.sealStream('one', chunks(plain, 65_536)));
      const piece = 65_536 + vault.overhead;
      const at = (number: number): Buffer => sealed.subarray(16 + number * piece, 16 + (number + 1) * piece);
      const spoiled = {
        cut: sealed.subarray(0, -1),
        'a piece short': sealed.subarray(0, 16 + 3 * piece),
        longer: Buffer.concat([sealed, at(0)]),
        swapped: Buffer.concat([sealed.subarray(0, 16), at(1), at(0), sealed.subarray(16 + 2 * piece)]),
        mixed: Buffer.concat([sealed.subarray(0, 16 + piece), other.subarray(16 + piece)]),
        nothing: Buffer.alloc(0),
      };
      for (const [what, bytes] of Object.entries(spoiled))
        await assert.rejects(collect(vault.openStream('one', chunks(bytes, 9_999))), /does not open/, what);
      await assert.rejects(collect(vault.openStream('two', chunks(sealed, 9_999))), /does not open/);
    });
  });
}
