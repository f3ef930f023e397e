import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LogTail } from '../../../src/core/domain/log-tail.ts';

const END = { requestId: 'r', durationMs: 17.449, billedMs: 18, memorySizeMb: 128, maxMemoryMb: 30.99 };
const CLOSING =
  'FC Invoke End RequestId: r\r\n\nDuration: 17.45 ms, Billed Duration: 18 ms, Memory Size: 128 MB, Max Memory Used: 30.99 MB';

test('platform lines around the output', () => {
  const tail = new LogTail(4_096, 'r', 'inited.\r\n');
  tail.append('a\n');
  assert.equal(tail.finish(END), `inited.\r\nFC Invoke Start RequestId: r\r\na\n${CLOSING}`);
});

test('a failure is named on the End line', () => {
  assert.match(new LogTail(4_096, 'r', '').finish({ ...END, error: 'why' }), /End RequestId: r, Error: why\r\n/);
});

test('the last bytes are kept, however much is written, never half a character', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 200 }), { maxLength: 50 }), (pieces) => {
      const tail = new LogTail(300, 'r', '');
      for (const piece of pieces) tail.append(piece);
      const text = tail.finish(END);
      assert.ok(Buffer.byteLength(text) <= 300);
      assert.ok(!text.includes('\ufffd') || pieces.join('').includes('\ufffd'));
      assert.ok(text.endsWith(CLOSING));
      const whole = `FC Invoke Start RequestId: r\r\n${pieces.join('')}`;
      const output = text.slice(0, -CLOSING.length).replace(/\n$/, '');
      assert.ok(whole.replace(/\n$/, '').endsWith(output));
    }),
  );
});
