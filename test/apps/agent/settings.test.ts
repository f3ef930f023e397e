import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAgentSettings, readEgress, readTuning } from '../../../src/apps/agent/settings.ts';

const ARGS = [
  ...['--data', '/d', '--run-dir', '/r', '--isolation', 'container', '--host', '127.0.0.1'],
  ...['--api-port', '9527', '--objects-port', '9528', '--package-root', '/p', '--master-key', '/m'],
];

test('the command line is read whole; what is missing, unknown or wrong is refused by name', () => {
  const settings = readAgentSettings(ARGS, undefined, 4);
  assert.equal(settings.apiPort, 9527);
  assert.equal(settings.isolation, 'container');
  assert.equal(settings.tuning.startsAtOnce, 32);
  assert.throws(() => readAgentSettings(ARGS.slice(2), undefined, 1), /needs --data/);
  assert.throws(() => readAgentSettings([...ARGS, '--colour', 'red'], undefined, 1), /colour/);
  assert.throws(() => readAgentSettings([...ARGS, '--isolation', 'hope'], undefined, 1), /hope/);
  assert.throws(() => readAgentSettings([...ARGS, '--api-port', '0'], undefined, 1), /api-port/);
});

test('tuning overrides defaults, and a typing error does not pass for a setting', () => {
  assert.equal(readTuning('{"agent":{"poolDepth":9}}', 2).poolDepth, 9);
  assert.equal(readTuning('{"server":{}}', 2).poolDepth, 2);
  assert.deepEqual(readTuning('{"agent":{"poolAlways":["nodejs24"]}}', 2).poolAlways, ['nodejs24']);
  assert.throws(() => readTuning('{"agent":{"poolDeep":9}}', 2), /no setting agent.poolDeep/);
  assert.throws(() => readTuning('{"agent":{"poolDepth":"9"}}', 2), /poolDepth must be a whole number from 0/);
  assert.throws(() => readTuning('{"agent":{"startsAtOnce":0}}', 2), /startsAtOnce must be a whole number from 1/);
  assert.throws(() => readTuning('{"agent":{"memoryOvercommit":0}}', 2), /memoryOvercommit must be a number above 0/);
  assert.equal(readTuning(undefined, 2).connectionsPerInstance, 1_024);
  assert.equal(readTuning('{"agent":{"bandwidthPerInstanceBytes":4096}}', 2).bandwidthPerInstanceBytes, 4096);
  for (const name of ['connectionsPerInstance', 'lookupsPerInstanceSecond', 'bandwidthPerInstanceBytes']) {
    assert.throws(() => readTuning(`{"agent":{"${name}":0}}`, 2), /must be a whole number from 1 to \d+/);
    assert.throws(() => readTuning(`{"agent":{"${name}":5000000000}}`, 2), /must be a whole number from 1 to \d+/);
  }
  assert.equal(readTuning('{"agent":{"memoryOvercommit":1.5}}', 2).memoryOvercommit, 1.5);
  assert.throws(() => readTuning('{"agent":{"poolAlways":[1]}}', 2), /poolAlways must be a list of runtime ids/);
  assert.throws(() => readTuning('[]', 2), /JSON object/);
});

test('lists of what instances reach are read before anything starts; where they could not hold they are refused', () => {
  const text = '{"network":{"egress":{"1000":["203.0.113.0/24:443"]}}}';
  assert.equal(readAgentSettings(ARGS, text, 1).egress.lists.size, 1);
  assert.equal(readAgentSettings(ARGS, '{"agent":{}}', 1).egress.lists.size, 0);
  assert.throws(() => readEgress(text, 'process'), /not supported with --isolation process/);
  assert.throws(
    () => readEgress('{"network":{"egress":{"1000":["a.example:1"]}}}', 'gvisor'),
    /TIDEMILL_TUNING: .*names/,
  );
  assert.throws(() => readEgress('{"network":null}', 'container'), /network must be an object/);
});
