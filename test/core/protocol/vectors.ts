/** Frames byte by byte: every language's codec is compared with these. */
export interface FrameVector {
  readonly what: string;
  readonly type: number;
  readonly stream: number;
  readonly payloadHex: string;
  readonly frameHex: string;
}

export const VECTORS: readonly FrameVector[] = [
  { what: 'an empty payload', type: 0x48, stream: 0, payloadHex: '', frameHex: '000000004800000000' },
  {
    what: 'little-endian length and stream',
    type: 0x04,
    stream: 0x01020304,
    payloadHex: 'ff',
    frameHex: '010000000404030201ff',
  },
  {
    what: 'the largest stream',
    type: 0x45,
    stream: 0xffffffff,
    payloadHex: '0000',
    frameHex: '0200000045ffffffff0000',
  },
  { what: 'text', type: 0x44, stream: 5, payloadHex: 'c3bc0a', frameHex: '030000004405000000c3bc0a' },
  {
    what: 'a result: unhandled, exits, 4096 KiB, body "x"',
    type: 0x45,
    stream: 2,
    payloadHex: '020001000010000078',
    frameHex: '090000004502000000020001000010000078',
  },
];
