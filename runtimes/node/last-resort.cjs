'use strict';

/**
 * Async functions that also know a callback and whose promise gave nothing: the callback may still come. They are waited
 * for as long as the function's own work keeps the event loop alive; then nothing is what they answered.
 */
class LastResort {
  /** @param {(alive: boolean) => void} keepAlive whether the platform's own sockets shall keep the event loop alive */
  constructor(keepAlive) {
    this.keepAlive = keepAlive;
    /** @type {Set<import('./calls.cjs').Outcome>} */
    this.waiting = new Set();
  }

  /** @param {import('./calls.cjs').Outcome} outcome */
  add(outcome) {
    if (this.waiting.size === 0) {
      this.keepAlive(false);
      process.once('beforeExit', () => this.giveUp());
    }
    this.waiting.add(outcome);
  }

  /** To be told of every outcome. @param {import('./calls.cjs').Outcome} outcome */
  settled(outcome) {
    if (this.waiting.delete(outcome) && this.waiting.size === 0) this.keepAlive(true);
  }

  giveUp() {
    for (const outcome of [...this.waiting]) outcome.succeed(undefined);
  }
}

exports.LastResort = LastResort;
