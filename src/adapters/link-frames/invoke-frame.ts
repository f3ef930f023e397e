import type { CredentialsFrame } from '../../core/protocol/runtime-frames.ts';
import { CHUNK_BYTES, FRAME, FRAME_HEADER_BYTES } from '../../core/protocol/runtime-frames.ts';
import { writeFrameHeader } from '../../core/protocol/frame-codec.ts';
import type { InstanceCall } from '../../core/ports/instance-link.ts';

/** Payloads up to this size are copied behind their header: one small buffer is cheaper than two. */
const COPY_BYTES = 16 * 1024;
const PLAIN = /^[\w.:$-]*$/;

/** A JSON string: quoted without a look at every character when nothing can need escaping. */
function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** The JSON of an InvokeHeader. `total` is the payload's size when it continues in chunks. */
export function invokeHeader(
  call: InstanceCall,
  total: number | undefined,
  credentials: CredentialsFrame | undefined,
): string {
  let text = `{"r":${quoted(call.requestId)},"e":${call.epoch},"q":${quoted(call.qualifier)},"n":${call.retryCount},"d":${call.deadline}`;
  if (total !== undefined) text += `,"more":${total}`;
  if (credentials !== undefined) {
    text += `,"c":{"accessKeyId":${quoted(credentials.accessKeyId)},"accessKeySecret":${quoted(credentials.accessKeySecret)},"securityToken":${quoted(credentials.securityToken)}}`;
  }
  return `${text}}`;
}

export interface InvokeFrames {
  /** The head frame: one buffer, or header and first payload piece. */
  readonly head: readonly Buffer[];
  /** Payload bytes that did not fit into the head frame and follow as REQUEST_CHUNK frames; empty for most calls. */
  readonly rest: Buffer;
}

const NOTHING = Buffer.alloc(0);

/** The INVOKE frame of a call. The payload is not copied when it is large: it must not change while the call is in flight. */
export function encodeInvoke(
  stream: number,
  call: InstanceCall,
  payload: Uint8Array,
  credentials: CredentialsFrame | undefined,
): InvokeFrames {
  const size = payload.byteLength;
  const chunked = size > CHUNK_BYTES;
  const header = invokeHeader(call, chunked ? size : undefined, credentials);
  const headerBytes = Buffer.byteLength(header);
  const inHead = chunked ? CHUNK_BYTES : size;
  const copy = inHead <= COPY_BYTES;
  const start = FRAME_HEADER_BYTES + 2 + headerBytes;
  const frame = Buffer.allocUnsafe(copy ? start + inHead : start);
  writeFrameHeader(frame, 0, FRAME.invoke, stream, 2 + headerBytes + inHead);
  frame.writeUInt16LE(headerBytes, FRAME_HEADER_BYTES);
  frame.write(header, FRAME_HEADER_BYTES + 2, 'utf8');
  if (copy) {
    frame.set(payload, start);
    return { head: [frame], rest: NOTHING };
  }
  const whole = Buffer.from(payload.buffer, payload.byteOffset, size);
  return { head: [frame, whole.subarray(0, inHead)], rest: whole.subarray(inHead) };
}

/** Header of a REQUEST_CHUNK frame of `length` bytes; 0 ends the payload. */
export function requestChunkHeader(stream: number, length: number): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
  writeFrameHeader(frame, 0, FRAME.requestChunk, stream, length);
  return frame;
}
