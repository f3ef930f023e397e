import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { packEvents, unpackEvents } from '../../../src/adapters/queue-sqlite/packed-events.ts';

const TASK = { account: 'a', functionName: 'f', qualifier: 'LATEST', taskId: 't', requestId: 'r' };

it('what is packed comes out again, call by call', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 12 });
  const event = fc.record({
    id: text,
    key: fc.constantFrom('a/f', 'a/g', 'ключ', ''),
    dueAt: fc.maxSafeInteger(),
    headers: text,
    payload: fc.uint8Array({ maxLength: 9 }),
    task: fc.option(fc.constant(TASK), { nil: undefined }),
  });
  const call = fc.record({ now: fc.maxSafeNat(), events: fc.array(event, { maxLength: 5 }) });
  fc.assert(
    fc.property(fc.array(call, { maxLength: 6 }), (calls) => {
      const wire = calls.map(({ now, events }) => ({
        now,
        events: events.map(({ payload, ...rest }) => ({ ...rest, size: payload.byteLength })),
      }));
      const bytes = Uint8Array.from(calls.flatMap(({ events }) => events.flatMap(({ payload }) => [...payload])));
      let at = 0;
      const { counts, events } = unpackEvents(packEvents(wire), (size) => bytes.subarray(at, (at += size)));
      assert.deepEqual(
        counts,
        calls.map((each) => each.events.length),
      );
      assert.deepEqual(
        events.map(({ payload, ...rest }) => ({ ...rest, payload: [...payload] })),
        calls.flatMap(({ now, events: own }) =>
          own.map((each) => ({ ...each, now, size: each.payload.byteLength, payload: [...each.payload] })),
        ),
      );
    }),
  );
});
