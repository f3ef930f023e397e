import assert from 'node:assert/strict';
import { test } from 'node:test';
import { timingHeader } from '../../../src/doors/wire/timing-header.ts';

const WARM = { queuedMs: 0.25, sandboxMs: 0, runtimeMs: 0, codeMs: 0, initializerMs: 0, handlerMs: 2, cold: false };

test('every phase is there, in the syntax of Server-Timing', () => {
  assert.deepEqual(timingHeader(WARM), [
    'x-tidemill-timings',
    'queued;dur=0.250, placed;dur=0.000, sandbox;dur=0.000, runtime;dur=0.000, code;dur=0.000, initializer;dur=0.000, handler;dur=2.000',
  ]);
});

test('a cold start says why no warm instance served it', () => {
  const [, text] = timingHeader({ ...WARM, cold: true, placedMs: 1, sandboxMs: 2.5, reason: 'expired' });
  assert.match(text, /placed;dur=1\.000, sandbox;dur=2\.500, .*handler;dur=2\.000, cold;desc="expired"$/);
});
