import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InstanceOutputBuffer } from '../../../src/services/node/instance-output.ts';
import { MAX_LINE_BYTES, OutputLines } from '../../../src/services/node/output-lines.ts';
import { OutputHead, OutputTail } from '../../../src/services/node/output-tail.ts';

/** `bytes` cut at random places. */
function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  const parts: Buffer[] = [];
  let from = 0;
  for (const place of [...places, bytes.length]) {
    parts.push(bytes.subarray(from, place));
    from = place;
  }
  return parts;
}

const text = fc.string({ unit: fc.constantFrom('a', 'é', '漢', '🌊', '\n', ' '), maxLength: 200 });

test('lines come out whole, however the bytes are cut', () => {
  fc.assert(
    fc.property(text, fc.array(fc.nat(), { maxLength: 8 }), (input, cuts) => {
      const lines = new OutputLines();
      const seen: string[] = [];
      for (const piece of pieces(Buffer.from(input), cuts)) {
        const out = lines.push(piece);
        if (out !== undefined) seen.push(...out.split('\n'));
      }
      const end = lines.end();
      if (end !== undefined) seen.push(end);
      const wanted = input.split('\n');
      if (wanted.at(-1) === '') wanted.pop();
      assert.deepEqual(seen, wanted);
    }),
  );
});

test('a line without end is handed on in pieces that keep characters whole', () => {
  const lines = new OutputLines();
  const input = '漢'.repeat(MAX_LINE_BYTES);
  let seen = '';
  for (const piece of pieces(Buffer.from(input), [10_000, 20_001, 33_333, 40_000])) seen += lines.push(piece) ?? '';
  seen += lines.end() ?? '';
  assert.equal(seen, input);
});

test('the tail is the newest bytes, the head the oldest, both cut at characters', () => {
  fc.assert(
    fc.property(text, fc.array(fc.nat(), { maxLength: 8 }), fc.integer({ min: 1, max: 64 }), (input, cuts, limit) => {
      const tail = new OutputTail(limit);
      const head = new OutputHead(limit);
      for (const piece of pieces(Buffer.from(input), cuts)) {
        tail.push(piece);
        head.push(piece);
      }
      const bytes = Buffer.byteLength(input);
      for (const [kept, whole] of [
        [tail.text(), input.endsWith(tail.text())],
        [head.text(), input.startsWith(head.text())],
      ] as const) {
        assert.ok(whole, JSON.stringify([input, kept, limit]));
        assert.ok(Buffer.byteLength(kept) <= limit);
        assert.ok(Buffer.byteLength(kept) > Math.min(bytes, limit) - 4);
      }
    }),
  );
});

test('what the start log tells is not told again by lines, and it ends with the start', () => {
  const output = new InstanceOutputBuffer();
  output.push(Buffer.from('one\ntwo\nthr'));
  assert.equal(output.started(), 'one\ntwo\nthr');
  output.push(Buffer.from('ee\n'));
  const seen: string[] = [];
  output.listen((line) => seen.push(line));
  output.push(Buffer.from('four\nfive'));
  output.end();
  assert.deepEqual(seen, ['ee', 'four', 'five']);
  assert.equal(output.startLog(), 'one\ntwo\nthr');
  assert.equal(output.lastOutput(), 'one\ntwo\nthree\nfour\nfive');
});

test('what a start writes beyond the start log comes as lines', () => {
  const output = new InstanceOutputBuffer();
  output.push(Buffer.from(`${'x'.repeat(64 * 1024)}\n`));
  output.push(Buffer.from('beyond\n'));
  output.started();
  const seen: string[] = [];
  output.listen((line) => seen.push(line));
  assert.equal(seen.at(-1), 'beyond');
});
