import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { masterSecretBox } from '../../../src/services/access/secret-box.ts';

const random = { bytes: (count: number) => randomBytes(count), float: () => 0.5 };
const box = masterSecretBox(Buffer.alloc(32, 'm'), random);

test('what was sealed opens again, for its context and this installation only', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), (secret, context, other) => {
      const sealed = box.seal(secret, context);
      assert.equal(box.open(sealed, context), secret);
      assert.equal(masterSecretBox(Buffer.alloc(32, 'm'), random).open(sealed, context), secret);
      assert.throws(() => masterSecretBox(Buffer.alloc(32, 'n'), random).open(sealed, context));
      if (other !== context) assert.throws(() => box.open(sealed, other));
      assert.notEqual(box.seal(secret, context), sealed, 'the same secret sealed twice looks different');
    }),
  );
});

test('changed, cut and foreign texts do not open', () => {
  const sealed = box.seal('a secret of some length', 'c');
  fc.assert(
    fc.property(fc.nat(sealed.length - 1), fc.constantFrom('A', '_', '.'), (index, letter) => {
      const changed = sealed.slice(0, index) + letter + sealed.slice(index + 1);
      // the last character of base64url has bits that mean nothing
      if (changed === sealed || index === sealed.length - 1) return;
      assert.throws(() => box.open(changed, 'c'));
    }),
  );
  for (const text of ['', '1.', '2.abc', sealed.slice(0, -5), 'x'.repeat(1_000)])
    assert.throws(() => box.open(text, 'c'));
});
