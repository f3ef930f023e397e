'use strict';

const NO_CREDENTIALS = Object.freeze({ accessKeyId: '', accessKeySecret: '', securityToken: '' });

/**
 * The context object of one call or hook (FC reference 4.1). Its parts are made anew each time: the function may change them.
 * @param {any} load the LOAD frame
 * @param {string} requestId
 * @param {string} qualifier
 * @param {number} retryCount
 * @param {any} credentials
 * @param {object} logger
 */
function makeContext(load, requestId, qualifier, retryCount, credentials, logger) {
  const fn = load.function;
  const service = load.service;
  return {
    requestId,
    credentials: credentials === undefined ? NO_CREDENTIALS : credentials,
    function: { name: fn.name, handler: fn.handler, memory: fn.memory, timeout: fn.timeout },
    service: {
      logProject: service.logProject,
      logStore: service.logStore,
      qualifier,
      versionId: service.versionId,
    },
    region: load.region,
    accountId: load.accountId,
    logger,
    retryCount,
    tracing: TRACING,
  };
}

/** Tracing headers are not handed on by this platform: the fields are there and empty. */
const TRACING = Object.freeze({
  openTracingSpanContext: '',
  openTracingSpanBaggages: Object.freeze({}),
  jaegerEndpoint: '',
  parseOpenTracingBaggages: () => ({}),
});

exports.makeContext = makeContext;
