import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  encodeFrame,
  encodeJsonFrame,
  FrameDecoder,
  FrameTooLongError,
} from '../../../src/core/protocol/frame-codec.ts';
import { FRAME, MAX_FRAME_BYTES } from '../../../src/core/protocol/runtime-frames.ts';
import { VECTORS } from './vectors.ts';

type Seen = [type: number, stream: number, hex: string];

function decode(chunks: readonly Buffer[], options?: { chunksAreReused: boolean }): Seen[] {
  const seen: Seen[] = [];
  const decoder = new FrameDecoder((type, stream, payload) => {
    seen.push([type, stream, payload.toString('hex')]);
  }, options);
  for (const chunk of chunks) decoder.push(chunk);
  return seen;
}

/** `bytes` cut at the given places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...sorted].map((start, index) => bytes.subarray(start, sorted[index] ?? bytes.length));
}

describe('frame codec', () => {
  for (const vector of VECTORS) {
    it(`agrees with the vector: ${vector.what}`, () => {
      const payload = Buffer.from(vector.payloadHex, 'hex');
      assert.equal(encodeFrame(vector.type, vector.stream, payload).toString('hex'), vector.frameHex);
      assert.deepEqual(decode([Buffer.from(vector.frameHex, 'hex')]), [
        [vector.type, vector.stream, vector.payloadHex],
      ]);
    });
  }

  const frames = fc.array(
    fc.tuple(
      fc.integer({ min: 0, max: 255 }),
      fc.integer({ min: 0, max: 0xffff_ffff }),
      fc.uint8Array({ maxLength: 80 }),
    ),
    { maxLength: 12 },
  );

  it('gives back any frames, however the stream is cut, also when the chunks share memory', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.nat(2000), { maxLength: 30 }), fc.boolean(), (sent, places, reused) => {
        const stream = Buffer.concat(sent.map(([type, id, payload]) => encodeFrame(type, id, payload)));
        const expected = sent.map(([type, id, payload]) => [type, id, Buffer.from(payload).toString('hex')]);
        const shared = Buffer.alloc(stream.length);
        const seen: Seen[] = [];
        const decoder = new FrameDecoder((type, id, payload) => seen.push([type, id, payload.toString('hex')]), {
          chunksAreReused: reused,
        });
        for (const chunk of cut(stream, places)) {
          if (!reused) decoder.push(chunk);
          else decoder.push(shared.subarray(0, chunk.copy(shared.fill(0xaa))));
        }
        assert.deepEqual(seen, expected);
      }),
    );
  });

  it('writes JSON by its bytes, not its characters', () => {
    assert.deepEqual(decode([encodeJsonFrame(FRAME.hello, 7, { text: 'ü😀' })]), [
      [FRAME.hello, 7, Buffer.from('{"text":"ü😀"}').toString('hex')],
    ]);
  });

  it('refuses a frame longer than the limit as soon as its header is there', () => {
    const header = Buffer.alloc(9);
    header.writeUInt32LE(MAX_FRAME_BYTES + 1, 0);
    assert.throws(() => decode([header]), FrameTooLongError);
    assert.throws(() => decode([header.subarray(0, 3), header.subarray(3)]), FrameTooLongError);
    header.writeUInt32LE(MAX_FRAME_BYTES, 0);
    assert.deepEqual(decode([header]), []);
  });
});
