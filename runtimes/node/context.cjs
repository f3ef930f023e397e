'use strict';

const NO_CREDENTIALS = { accessKeyId: '', accessKeySecret: '', securityToken: '' };

/** The context object of one call or hook (FC reference 4.1). */
class Context {
  /**
   * @param {any} load the LOAD frame
   * @param {string} requestId
   * @param {string} qualifier
   * @param {number} retryCount
   * @param {any} credentials
   * @param {object} logger
   */
  constructor(load, requestId, qualifier, retryCount, credentials, logger) {
    const fn = load.function;
    const service = load.service;
    this.requestId = requestId;
    this.credentials = credentials === undefined ? NO_CREDENTIALS : credentials;
    this.function = { name: fn.name, handler: fn.handler, memory: fn.memory, timeout: fn.timeout };
    this.service = {
      logProject: service.logProject,
      logStore: service.logStore,
      qualifier,
      versionId: service.versionId,
    };
    this.region = load.region;
    this.accountId = load.accountId;
    this.logger = logger;
    this.retryCount = retryCount;
    this.tracing = TRACING;
  }
}

/** Tracing headers are not handed on by this platform: the fields are there and empty. */
const TRACING = Object.freeze({
  openTracingSpanContext: '',
  openTracingSpanBaggages: Object.freeze({}),
  jaegerEndpoint: '',
  parseOpenTracingBaggages: () => ({}),
});

module.exports = { Context };
