'use strict';
const { CHUNK_BYTES, FRAME, FRAME_HEADER_BYTES, MAX_RESULT_BYTES, RESULT_FLAG, RESULT_HEADER_BYTES, RESULT_STATUS, allocateFrame } =
  require('./protocol.cjs');
const { NamedError, errorPayload, errorText } = require('./errors.cjs');

/** Peak memory is asked of the system at most this often: the number only grows and costs a system call. */
const MEMORY_SAMPLE_MS = 20;
/** A call that took less than this may have others waiting behind it. */
const QUICK_MS = 0.2;

/** A call whose payload is still arriving in chunks. */
class Arriving {
  /** @param {any} header @param {number} total */
  constructor(header, total) {
    this.header = header;
    this.payload = Buffer.allocUnsafe(total);
    this.filled = 0;
  }

  /** False when the peer sent more than it announced. @param {Buffer} chunk */
  add(chunk) {
    if (this.filled + chunk.length > this.payload.length) return false;
    this.filled += chunk.copy(this.payload, this.filled);
    return true;
  }
}

/** One call from INVOKE to RESULT: settles once, whichever of return, promise, callback or crash comes first. */
class Call {
  /**
   * @param {import('./runtime.cjs').Runtime} runtime
   * @param {import('./connection.cjs').Connection} connection
   * @param {number} stream
   * @param {string} requestId
   */
  constructor(runtime, connection, stream, requestId) {
    this.runtime = runtime;
    this.connection = connection;
    this.stream = stream;
    this.requestId = requestId;
    this.settled = false;
    /** When it began, `performance.now()`; NaN before. */
    this.beganAt = Number.NaN;
    /** Later connections that were told that this call is busy. @type {import('./connection.cjs').Connection[] | undefined} */
    this.watchers = undefined;
  }

  /** @param {unknown} value */
  succeed(value) {
    if (this.settled) return;
    let result;
    try {
      result = serialise(value);
      // Said before a byte is on its way: an answer that has begun can only be broken off.
      if (lengthOf(result) > MAX_RESULT_BYTES) throw tooLarge();
    } catch (error) {
      this.fail(error, RESULT_STATUS.unhandled);
      return;
    }
    const quick = this.runtime.storage === undefined && performance.now() - this.beganAt < QUICK_MS;
    this.settle(RESULT_STATUS.ok, result, quick ? RESULT_FLAG.quick : 0);
  }

  /** The error goes to the log too: callers over HTTP see only a 502. @param {unknown} error @param {number} status */
  fail(error, status, flags = 0) {
    if (this.settled) return;
    this.runtime.output.log('error', [errorText(error)]);
    this.settle(status, JSON.stringify(errorPayload(error)), flags);
  }

  /** @param {number} status @param {string | Uint8Array} result @param {number} flags */
  settle(status, result, flags) {
    this.settled = true;
    const bytes = lengthOf(result);
    if (bytes > CHUNK_BYTES) {
      const whole = typeof result === 'string' ? Buffer.from(result) : result;
      void this.sendChunks(status, whole, flags);
    } else {
      const frame = resultFrame(this.stream, status, 0, flags, bytes);
      if (typeof result === 'string') frame.write(result, FRAME_HEADER_BYTES + RESULT_HEADER_BYTES, 'utf8');
      else frame.set(result, FRAME_HEADER_BYTES + RESULT_HEADER_BYTES);
      this.connection.send(frame);
    }
    this.runtime.ended(this);
  }

  /** @param {number} status @param {Uint8Array} result @param {number} flags */
  async sendChunks(status, result, flags) {
    const { connection, stream } = this;
    const head = resultFrame(stream, status, 1, flags, CHUNK_BYTES);
    head.set(result.subarray(0, CHUNK_BYTES), FRAME_HEADER_BYTES + RESULT_HEADER_BYTES);
    connection.send(head);
    for (let at = CHUNK_BYTES; at < result.byteLength; at += CHUNK_BYTES) {
      if (!connection.flush()) await connection.drained();
      if (!connection.open) return;
      const piece = result.subarray(at, at + CHUNK_BYTES);
      const chunk = allocateFrame(FRAME.resultChunk, stream, piece.byteLength);
      chunk.set(piece, FRAME_HEADER_BYTES);
      connection.send(chunk);
    }
    connection.send(allocateFrame(FRAME.resultChunk, stream, 0));
  }
}

/** @param {string | Uint8Array} result */
function lengthOf(result) {
  return typeof result === 'string' ? Buffer.byteLength(result) : result.byteLength;
}

/** The words of `answerTooLarge` in src/core/domain/function-failure.ts. */
function tooLarge() {
  const message = `The response payload exceeds the maximum allowed size (${MAX_RESULT_BYTES} bytes)`;
  return new NamedError('ResponsePayloadTooLarge', message);
}

let memorySampledAt = 0;
let memoryPeakKb = 0;

function peakMemoryKb() {
  const now = Date.now();
  if (now - memorySampledAt >= MEMORY_SAMPLE_MS) {
    memoryPeakKb = process.resourceUsage().maxRSS;
    memorySampledAt = now;
  }
  return memoryPeakKb;
}

/** @param {number} stream @param {number} status @param {number} more @param {number} flags @param {number} bytes */
function resultFrame(stream, status, more, flags, bytes) {
  const frame = allocateFrame(FRAME.result, stream, RESULT_HEADER_BYTES + bytes);
  frame[FRAME_HEADER_BYTES] = status;
  frame[FRAME_HEADER_BYTES + 1] = more;
  frame.writeUInt16LE(flags, FRAME_HEADER_BYTES + 2);
  frame.writeUInt32LE(peakMemoryKb(), FRAME_HEADER_BYTES + 4);
  return frame;
}

/** Strings and bytes go out as they are, nothing as an empty body, all else as JSON (FC reference 4.1). @param {unknown} value */
function serialise(value) {
  if (typeof value === 'string' || value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return value === undefined ? '' : (JSON.stringify(value) ?? '');
}

/**
 * @typedef {object} Outcome
 * @property {(value: unknown) => void} succeed
 * @property {(error: unknown, status: number) => void} fail
 * @property {boolean} settled
 */

/**
 * Runs a handler or hook in any of its styles and reports its one outcome.
 * @param {Function} fn
 * @param {unknown[]} args without the callback
 * @param {{mayCallBack: boolean, callsBack: boolean}} style
 * @param {Outcome} outcome
 * @param {import('./last-resort.cjs').LastResort} lastResort
 */
function run(fn, args, style, outcome, lastResort) {
  try {
    if (style.mayCallBack) args.push(callbackOf(outcome));
    const returned = fn(...args);
    if (typeof returned?.then === 'function') {
      returned.then(
        (/** @type {unknown} */ value) => {
          if (value === undefined && style.callsBack && !outcome.settled) lastResort.add(outcome);
          else outcome.succeed(value);
        },
        (/** @type {unknown} */ error) => outcome.fail(error, RESULT_STATUS.unhandled),
      );
    } else if (!style.mayCallBack) outcome.succeed(returned);
  } catch (error) {
    outcome.fail(error, RESULT_STATUS.unhandled);
  }
}

/** @param {Outcome} outcome */
function callbackOf(outcome) {
  return (/** @type {unknown} */ error, /** @type {unknown} */ data) => {
    if (error !== null && error !== undefined) outcome.fail(error, RESULT_STATUS.handled);
    else outcome.succeed(data);
  };
}

exports.Arriving = Arriving;
exports.Call = Call;
exports.run = run;
