'use strict';

/** Frames of this folder say nothing to the function's author: they are left out of stack traces. */
const OWN_FRAME = `${__dirname}/`;

/**
 * The field's error payload (FC reference 4.1): `stackTrace` is the stack by lines with `Error: message` first. A value
 * that is not an Error has only a message.
 * @param {unknown} error
 * @returns {{errorMessage: string, errorType?: string, stackTrace?: string[]}}
 */
function errorPayload(error) {
  if (!isError(error)) return { errorMessage: describe(error) };
  const type = error.constructor?.name || error.name || 'Error';
  return { errorMessage: error.message, errorType: type, stackTrace: stackLines(error) };
}

/** @param {unknown} error @returns {string[]} */
function stackLines(error) {
  const stack = /** @type {any} */ (error).stack;
  if (typeof stack !== 'string') return [];
  return stack.split('\n').filter((line) => line.trim() !== '' && !line.includes(OWN_FRAME));
}

/** @param {unknown} error @returns {error is Error} */
function isError(error) {
  // Errors made in another realm (vm) are not instances of ours, but are errors to the author.
  return error instanceof Error || Object.prototype.toString.call(error) === '[object Error]';
}

/** @param {unknown} value @returns {string} */
function describe(value) {
  if (typeof value === 'string') return value;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

/** What the log shows of an error. @param {unknown} error @returns {string} */
function errorText(error) {
  if (!isError(error)) return describe(error);
  const lines = stackLines(error);
  return lines.length > 0 ? lines.join('\n') : String(error);
}

/** A failure that the platform names itself, e.g. a handler that is not there. */
class NamedError extends Error {
  /** @param {string} type @param {string} message */
  constructor(type, message) {
    super(message);
    Object.defineProperty(this, 'constructor', { value: { name: type } });
    this.name = type;
    this.stack = `${type}: ${message}`;
  }
}

exports.errorPayload = errorPayload;
exports.errorText = errorText;
exports.NamedError = NamedError;
