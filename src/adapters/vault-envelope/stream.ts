import { randomBytes } from 'node:crypto';
import { OVERHEAD } from './envelope.ts';

/** Plain bytes of every piece but the last. */
const PIECE_BYTES = 64 * 1024;
const ID_BYTES = 16;
const SEALED_PIECE = PIECE_BYTES + OVERHEAD;

type Turn = (place: string, bytes: Uint8Array) => Uint8Array;

/**
 * A stream's id, then its pieces, each sealed for its place: stream, number, and whether it is the last. There is always a last piece, an empty one
 * if need be: a stream that was cut has none.
 */
export async function* sealPieces(seal: Turn, plain: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const id = randomBytes(ID_BYTES);
  yield id;
  let number = 0;
  let last: Buffer | undefined;
  for await (const piece of piecesOf(plain, PIECE_BYTES)) {
    if (last !== undefined) yield seal(placeOf(id, number++, false), last);
    last = piece;
  }
  yield seal(placeOf(id, number, true), last ?? Buffer.alloc(0));
}

/** Fails when anything of the stream is missing, changed, or not in its place. */
export async function* openPieces(open: Turn, sealed: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let id: Buffer | undefined;
  let number = 0;
  let waiting: Buffer | undefined;
  for await (const piece of piecesAfter(sealed, ID_BYTES, SEALED_PIECE)) {
    if (id === undefined) {
      id = piece;
      continue;
    }
    if (waiting !== undefined) yield open(placeOf(id, number++, false), waiting);
    waiting = piece;
  }
  yield open(placeOf(id ?? Buffer.alloc(0), number, true), waiting ?? Buffer.alloc(0));
}

export function plainSizeOf(sealedSize: number): number | undefined {
  const body = sealedSize - ID_BYTES;
  const pieces = Math.ceil(body / SEALED_PIECE);
  const plain = body - pieces * OVERHEAD;
  return pieces < 1 || plain < 0 || body - (pieces - 1) * SEALED_PIECE < OVERHEAD ? undefined : plain;
}

function placeOf(id: Buffer, number: number, last: boolean): string {
  return `stream ${id.toString('base64url')} ${number}${last ? ' last' : ''}`;
}

function piecesOf(source: AsyncIterable<Uint8Array>, size: number): AsyncIterable<Buffer> {
  return piecesAfter(source, size, size);
}

/** The source cut anew: a first piece of `first` bytes, then pieces of `size`, the last one as long as it is. */
async function* piecesAfter(source: AsyncIterable<Uint8Array>, first: number, size: number): AsyncIterable<Buffer> {
  let wanted = first;
  let held: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of source) {
    held.push(chunk);
    bytes += chunk.byteLength;
    if (bytes < wanted) continue;
    let rest = Buffer.concat(held);
    while (rest.byteLength >= wanted) {
      yield rest.subarray(0, wanted);
      rest = rest.subarray(wanted);
      wanted = size;
    }
    held = [rest];
    bytes = rest.byteLength;
  }
  if (bytes > 0) yield Buffer.concat(held);
}
