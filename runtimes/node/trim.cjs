'use strict';

/** Collects garbage as thoroughly as the engine can and gives the freed pages back to the system. */
function trim() {
  const { setFlagsFromString } = require('node:v8');
  setFlagsFromString('--expose-gc');
  const collect = require('node:vm').runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  // Node 20 takes the last resort for nothing at all; what plain collections leave, later versions give back with it.
  collect();
  collect();
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}

exports.trim = trim;
