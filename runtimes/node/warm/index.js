'use strict';
// The function that warm-up.cjs loads and calls.
exports.handler = async (/** @type {Buffer} */ event, /** @type {any} */ context) => {
  if (event.length === 0) throw new Error(context.requestId);
  return event;
};
