import { FRAME_HEADER_BYTES, MAX_FRAME_BYTES } from './runtime-frames.ts';

/** Writes a frame header at `offset`. `target` needs FRAME_HEADER_BYTES there. */
export function writeFrameHeader(target: Buffer, offset: number, type: number, stream: number, length: number): void {
  target.writeUInt32LE(length, offset);
  target[offset + 4] = type;
  target.writeUInt32LE(stream, offset + 5);
}

/** A whole frame in one buffer. */
export function encodeFrame(type: number, stream: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
  writeFrameHeader(frame, 0, type, stream, payload.length);
  frame.set(payload, FRAME_HEADER_BYTES);
  return frame;
}

/** A whole frame holding JSON. */
export function encodeJsonFrame(type: number, stream: number, value: unknown): Buffer {
  const text = JSON.stringify(value);
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + length);
  writeFrameHeader(frame, 0, type, stream, length);
  frame.write(text, FRAME_HEADER_BYTES, 'utf8');
  return frame;
}

/** Receives one frame; `payload` is only valid during the call unless copied. */
export type FrameHandler = (type: number, stream: number, payload: Buffer) => void;

/** The peer announced a frame longer than MAX_FRAME_BYTES. */
export class FrameTooLongError extends Error {
  override readonly name = 'FrameTooLongError';
}

/**
 * Cuts a byte stream into frames. Chunks may end anywhere; whole frames inside a chunk are not copied. With
 * `chunksAreReused` the caller reads into the same memory again: the part of a frame that has to wait is then copied.
 */
export class FrameDecoder {
  private rest: Buffer[] = [];
  private restBytes = 0;
  private readonly handle: FrameHandler;
  private readonly chunksAreReused: boolean;

  constructor(handle: FrameHandler, options?: { readonly chunksAreReused: boolean }) {
    this.handle = handle;
    this.chunksAreReused = options?.chunksAreReused ?? false;
  }

  /** Throws FrameTooLongError; the connection must then be closed. */
  push(chunk: Buffer): void {
    let data = chunk;
    if (this.restBytes > 0) {
      this.rest.push(this.kept(chunk));
      this.restBytes += chunk.length;
      if (this.restBytes < this.wanted()) return;
      data = Buffer.concat(this.rest, this.restBytes);
      this.rest = [];
      this.restBytes = 0;
    }
    let offset = 0;
    while (data.length - offset >= FRAME_HEADER_BYTES) {
      const length = data.readUInt32LE(offset);
      if (length > MAX_FRAME_BYTES) throw new FrameTooLongError(`frame of ${length} bytes`);
      const end = offset + FRAME_HEADER_BYTES + length;
      if (end > data.length) break;
      this.handle(data[offset + 4]!, data.readUInt32LE(offset + 5), data.subarray(offset + FRAME_HEADER_BYTES, end));
      offset = end;
    }
    if (offset < data.length) {
      const tail = data.subarray(offset);
      this.rest = [data === chunk ? this.kept(tail) : tail];
      this.restBytes = data.length - offset;
    }
  }

  private kept(bytes: Buffer): Buffer {
    return this.chunksAreReused ? Buffer.from(bytes) : bytes;
  }

  /** Bytes needed before the kept rest can hold a whole frame: avoids joining buffers again for every chunk. */
  private wanted(): number {
    const head = this.rest[0]!;
    if (head.length < FRAME_HEADER_BYTES) return FRAME_HEADER_BYTES;
    const length = head.readUInt32LE(0);
    return length > MAX_FRAME_BYTES ? 0 : FRAME_HEADER_BYTES + length;
  }
}
