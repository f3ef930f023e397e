'use strict';
const { FRAME, FRAME_HEADER_BYTES, MAX_FRAME_BYTES, allocateFrame } = require('./protocol.cjs');

/** @type {Record<string, number>} */
const LEVELS = { debug: 0, info: 1, warn: 2, error: 3 };
/** Longest text of one OUTPUT frame, in UTF-16 units: at most three bytes each. */
const PIECE_UNITS = Math.floor((MAX_FRAME_BYTES - FRAME_HEADER_BYTES) / 3);

/**
 * What the function writes through console, process.stdout and process.stderr, as OUTPUT frames of the call it belongs to.
 * Written through at once: what was logged before an endless loop or a crash by memory must not be lost. Text outside
 * calls goes to the agent, and where no peer is left to descriptor 1, which the sandbox keeps.
 */
class Output {
  /** @param {import('./runtime.cjs').Runtime} runtime */
  constructor(runtime) {
    this.runtime = runtime;
    this.minimum = 0;
    this.indent = '';
    this.second = -1;
    this.secondText = '';
    /** The logger of the context object (FC reference 4.1); there once `install` has run. @type {Record<string, Function>} */
    this.logger = {};
  }

  /** Takes over console and the standard streams. The original streams are made only when someone asks for them. */
  install() {
    this.patchConsole();
    this.patchStream('stdout');
    this.patchStream('stderr');
  }

  /** Applies what LOAD brought: level and time zone. @param {Record<string, string>} env */
  configure(env) {
    this.minimum = LEVELS[(env.ALIYUN_FC_LOG_LEVEL ?? '').toLowerCase()] ?? 0;
    this.second = -1;
  }

  /** @param {'debug' | 'info' | 'warn' | 'error'} level @param {unknown[]} values */
  log(level, values) {
    if (LEVELS[level] < this.minimum) return;
    let text = values.length === 1 && typeof values[0] === 'string' ? values[0] : require('node:util').format(...values);
    if (this.indent !== '') text = this.indent + text.replaceAll('\n', `\n${this.indent}`);
    const call = this.runtime.currentCall();
    const id = call === undefined ? this.runtime.lastRequestId : call.requestId;
    this.write(`${this.time()} ${id} [${level}] ${text}\n`, call);
  }

  /** Local time as `YYYY-MM-DD HH:MM:SS.mmm` (FC reference 4.1); the text of the current second is kept. */
  time() {
    const now = Date.now();
    const second = Math.floor(now / 1000);
    if (second !== this.second) {
      const date = new Date(now);
      const two = (/** @type {number} */ value) => (value < 10 ? `0${value}` : `${value}`);
      this.secondText =
        `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
        `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.`;
      this.second = second;
    }
    const ms = now - second * 1000;
    return this.secondText + (ms < 10 ? '00' : ms < 100 ? '0' : '') + ms;
  }

  /** @param {string} text @param {import('./calls.cjs').Call | undefined} call */
  write(text, call) {
    if (text === '') return;
    if (text.length > PIECE_UNITS) return this.writePieces(text, call);
    const connection = call === undefined || !call.connection.open ? this.runtime.agent() : call.connection;
    if (connection === undefined) {
      require('node:fs').writeSync(1, text);
      return;
    }
    const stream = call !== undefined && connection === call.connection ? call.stream : 0;
    const bytes = Buffer.byteLength(text);
    const frame = allocateFrame(FRAME.output, stream, bytes);
    frame.write(text, FRAME_HEADER_BYTES, 'utf8');
    connection.sendNow(frame);
  }

  /** @param {string} text @param {import('./calls.cjs').Call | undefined} call */
  writePieces(text, call) {
    let start = 0;
    while (start < text.length) {
      let end = Math.min(text.length, start + PIECE_UNITS);
      const last = text.charCodeAt(end - 1);
      if (end < text.length && last >= 0xd800 && last <= 0xdbff) end -= 1; // keep surrogate pairs together
      this.write(text.slice(start, end), call);
      start = end;
    }
  }

  patchConsole() {
    const target = /** @type {any} */ (console);
    const logAt =
      (/** @type {'debug' | 'info' | 'warn' | 'error'} */ level) =>
      (/** @type {unknown[]} */ ...values) =>
        this.log(level, values);
    target.log = logAt('info');
    target.info = logAt('info');
    target.debug = logAt('debug');
    target.warn = logAt('warn');
    target.error = logAt('error');
    target.group = (/** @type {unknown[]} */ ...label) => {
      if (label.length > 0) this.log('info', label);
      this.indent += '  ';
    };
    target.groupCollapsed = target.group;
    target.groupEnd = () => {
      this.indent = this.indent.slice(2);
    };
    this.logger = { debug: target.debug, info: target.info, warn: target.warn, error: target.error, log: target.log };
  }

  /** @param {'stdout' | 'stderr'} name */
  patchStream(name) {
    const original = Object.getOwnPropertyDescriptor(process, name);
    /** @type {any} */
    let stream;
    Object.defineProperty(process, name, {
      configurable: true,
      enumerable: true,
      get: () => {
        if (stream !== undefined) return stream;
        stream = original?.get === undefined ? original?.value : original.get.call(process);
        stream.write = this.streamWriter();
        return stream;
      },
    });
  }

  /** A `write` with the signature of streams; the text stays raw (FC reference 4.1). */
  streamWriter() {
    return (/** @type {any} */ chunk, /** @type {any} */ encoding, /** @type {any} */ done) => {
      const callback = typeof encoding === 'function' ? encoding : done;
      const text =
        typeof chunk === 'string' && (typeof encoding !== 'string' || /^utf-?8$/i.test(encoding))
          ? chunk
          : Buffer.from(chunk, typeof encoding === 'string' ? /** @type {BufferEncoding} */ (encoding) : undefined).toString();
      this.write(text, this.runtime.currentCall());
      if (typeof callback === 'function') process.nextTick(callback);
      return true;
    };
  }
}

exports.Output = Output;
