import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { combineCrc64, Crc64, crc64 } from '../../../src/core/base/crc64.ts';

/** The published check values of both parameter sets, for "123456789". */
test('check values', () => {
  const bytes = Buffer.from('123456789');
  assert.equal(crc64(bytes), String(0x995dc9bbdf1939fan));
  assert.equal(new Crc64('nvme').update(bytes).digest(), String(0xae8b14860a799888n));
  assert.equal(Buffer.from(new Crc64('nvme').update(bytes).digestBytes()).toString('hex'), 'ae8b14860a799888');
  assert.equal(crc64(new Uint8Array()), '0');
});

test('it does not matter how the bytes are cut, nor whether the parts are summed apart and combined', () => {
  const bytes = fc.uint8Array({ maxLength: 100 });
  const property = fc.property(bytes, bytes, (first, second) => {
    const whole = crc64(Buffer.concat([first, second]));
    assert.equal(new Crc64().update(first).update(second).digest(), whole);
    assert.equal(combineCrc64(crc64(first), crc64(second), second.length), whole);
  });
  fc.assert(property);
});

test('lengths beyond 32 bits combine: zeros appended in two steps or in one', () => {
  const start = crc64(Buffer.from('x'));
  const zeros = (length: number): string => {
    let sum = '0';
    let piece = crc64(new Uint8Array(1));
    for (let bit = 1, rest = length; rest > 0; bit *= 2, rest = Math.floor(rest / 2)) {
      if (rest % 2 === 1) sum = combineCrc64(sum, piece, bit);
      piece = combineCrc64(piece, piece, bit);
    }
    return sum;
  };
  const length = 5 * 2 ** 33 + 12_345;
  const once = combineCrc64(start, zeros(length), length);
  const half = combineCrc64(start, zeros(2 ** 33), 2 ** 33);
  assert.equal(combineCrc64(half, zeros(length - 2 ** 33), length - 2 ** 33), once);
});
