import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readReplayTuning } from '../../../src/apps/server/replay-tuning.ts';
import { LIMITS } from '../../../src/core/domain/limits.ts';

test('payloads of failed calls are kept as the limits say, as the operator says, or not at all', () => {
  const standard = {
    payloadBytes: LIMITS.failedPayloadBytes,
    perFunction: LIMITS.failedCallsPerFunction,
    bytes: LIMITS.failedCallsBytes,
    keptMs: LIMITS.failedCallsKeptSeconds * 1_000,
  };
  for (const text of [undefined, '', '{}', '{"replay":{}}', '{"replay":{"keepPayloads":true}}']) {
    assert.deepEqual(readReplayTuning(text), standard);
  }
  assert.deepEqual(readReplayTuning('{"replay":{"keptSeconds":60,"perFunction":3}}'), {
    ...standard,
    keptMs: 60_000,
    perFunction: 3,
  });
  assert.equal(readReplayTuning('{"replay":{"keepPayloads":false}}'), undefined);
});

test('what is no setting is refused', () => {
  for (const text of [
    '{"replay":{"keepPayload":false}}',
    '{"replay":{"keepPayloads":"no"}}',
    '{"replay":{"bytes":0}}',
    '{"replay":{"bytes":0,"keepPayloads":false}}',
    '{"replay":[]}',
    '[]',
  ]) {
    assert.throws(() => readReplayTuning(text), /TIDEMILL_TUNING/, text);
  }
});
