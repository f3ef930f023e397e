import assert from 'node:assert/strict';
import { FrameDecoder, FrameTooLongError } from '../../src/core/protocol/frame-codec.ts';
import { AwsChunkedParser } from '../../src/doors/objects/aws-chunked.ts';
import type { FuzzTarget } from './target.ts';

/** Cuts the bytes into pieces whose lengths the bytes themselves say. */
function* cut(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + ((bytes[at] ?? 0) % 29);
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

export const streamTargets: readonly FuzzTarget[] = [
  {
    name: 'runtime-frames',
    seeds: ['\x03\0\0\0\x01\x07\0\0\0abc', '\0\0\0\0\x02\x01\0\0\0\x02\0\0\0\x01\x02\0\0\0{}'],
    refused: (error) => error instanceof FrameTooLongError,
    run(bytes) {
      const whole: string[] = [];
      const pieces: string[] = [];
      const noted = (into: string[]) => (type: number, stream: number, payload: Buffer) =>
        void into.push(`${type} ${stream} ${payload.toString('hex')}`);
      new FrameDecoder(noted(whole)).push(bytes);
      const decoder = new FrameDecoder(noted(pieces));
      for (const piece of cut(bytes)) decoder.push(piece);
      assert.deepEqual(pieces, whole);
    },
  },
  {
    name: 'aws-chunked',
    seeds: ['5\r\nhello\r\n0\r\n\r\n', '3;chunk-signature=ab\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n'],
    run(bytes) {
      const read = (pieces: Iterable<Buffer>): string => {
        const parser = new AwsChunkedParser(undefined);
        const data: Uint8Array[] = [];
        for (const piece of pieces) data.push(...parser.push(piece));
        parser.finish();
        return Buffer.concat(data).toString('latin1');
      };
      const whole = read([bytes]);
      assert.ok(whole.length <= bytes.length);
      assert.equal(read(cut(bytes)), whole);
    },
  },
];
