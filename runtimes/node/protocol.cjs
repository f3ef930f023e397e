'use strict';
// Mirror of src/core/protocol/runtime-frames.ts and frame-codec.ts; test/core/protocol checks that both agree.

const FRAME_HEADER_BYTES = 9;
const CHUNK_BYTES = 256 * 1024;
const MAX_FRAME_BYTES = 1024 * 1024;
/** `responsePayloadBytes` of src/core/domain/limits.ts. */
const MAX_RESULT_BYTES = 32 * 1024 * 1024;
const RESULT_HEADER_BYTES = 8;

const FRAME = {
  attach: 0x01,
  load: 0x02,
  initialize: 0x03,
  invoke: 0x04,
  requestChunk: 0x05,
  cancel: 0x06,
  preStop: 0x07,
  trim: 0x08,
  revoke: 0x09,
  hello: 0x41,
  loaded: 0x42,
  initialized: 0x43,
  output: 0x44,
  result: 0x45,
  resultChunk: 0x46,
  preStopped: 0x47,
  stale: 0x48,
  ended: 0x49,
  trimmed: 0x4a,
  revoked: 0x4b,
};
const RESULT_STATUS = { ok: 0, handled: 1, unhandled: 2 };
const RESULT_FLAG = { exits: 1, quick: 2 };

/**
 * @param {number} type
 * @param {number} stream
 * @param {number} length
 * @returns {Buffer} a buffer with the header written and room for `length` bytes behind it
 */
function allocateFrame(type, stream, length) {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + length);
  frame.writeUInt32LE(length, 0);
  frame[4] = type;
  frame.writeUInt32LE(stream, 5);
  return frame;
}

/** @param {number} type @param {number} stream @param {string} text @returns {Buffer} */
function textFrame(type, stream, text) {
  const frame = allocateFrame(type, stream, Buffer.byteLength(text));
  frame.write(text, FRAME_HEADER_BYTES, 'utf8');
  return frame;
}

/** @param {number} type @param {number} stream @param {unknown} value @returns {Buffer} */
function jsonFrame(type, stream, value) {
  return textFrame(type, stream, JSON.stringify(value));
}

/** Cuts a byte stream into frames. Node reads every chunk into a buffer of its own, so payloads may be kept without a copy. */
class FrameReader {
  /** @param {(type: number, stream: number, payload: Buffer) => void} handle */
  constructor(handle) {
    this.handle = handle;
    /** @type {Buffer[]} */
    this.rest = [];
    this.restBytes = 0;
    this.wanted = 0;
  }

  /** Throws when the peer announces an impossible frame; the connection must then be closed. @param {Buffer} chunk */
  push(chunk) {
    let data = chunk;
    if (this.restBytes > 0) {
      this.rest.push(chunk);
      this.restBytes += chunk.length;
      if (this.restBytes < this.wanted) return;
      data = Buffer.concat(this.rest, this.restBytes);
      this.rest = [];
      this.restBytes = 0;
    }
    let offset = 0;
    this.wanted = FRAME_HEADER_BYTES;
    while (data.length - offset >= FRAME_HEADER_BYTES) {
      const length = data.readUInt32LE(offset);
      if (length > MAX_FRAME_BYTES) throw new Error(`frame of ${length} bytes`);
      const end = offset + FRAME_HEADER_BYTES + length;
      if (end > data.length) {
        this.wanted = FRAME_HEADER_BYTES + length;
        break;
      }
      this.handle(data[offset + 4], data.readUInt32LE(offset + 5), data.subarray(offset + FRAME_HEADER_BYTES, end));
      offset = end;
    }
    if (offset < data.length) {
      this.rest.push(data.subarray(offset));
      this.restBytes = data.length - offset;
    }
  }
}

exports.FRAME_HEADER_BYTES = FRAME_HEADER_BYTES;
exports.CHUNK_BYTES = CHUNK_BYTES;
exports.MAX_FRAME_BYTES = MAX_FRAME_BYTES;
exports.MAX_RESULT_BYTES = MAX_RESULT_BYTES;
exports.RESULT_HEADER_BYTES = RESULT_HEADER_BYTES;
exports.FRAME = FRAME;
exports.RESULT_STATUS = RESULT_STATUS;
exports.RESULT_FLAG = RESULT_FLAG;
exports.allocateFrame = allocateFrame;
exports.textFrame = textFrame;
exports.jsonFrame = jsonFrame;
exports.FrameReader = FrameReader;
