import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { NonceJournal } from '../../../src/core/ports/nonce-journal.ts';
import { NonceMemory } from '../../../src/doors/wire/nonce-memory.ts';

test('a nonce passes once within the window', () => {
  const memory = new NonceMemory(900, 1000);
  assert.equal(memory.remember('a', 1_000_000, 1_000_000), 'fresh');
  assert.equal(memory.remember('a', 1_000_000, 1_000_500), 'seen');
  assert.equal(memory.remember('b', 1_000_000, 1_000_500), 'fresh');
});

test('what left the window is forgotten, and can no longer pass', () => {
  const memory = new NonceMemory(900, 1000);
  memory.remember('a', 1_000_000, 1_000_000);
  memory.remember('b', 2_000_000, 2_000_000);
  assert.equal(memory.size, 1);
  assert.equal(memory.remember('a', 1_000_000, 2_000_000), 'forgotten');
});

test('no replay passes whatever the bound, and memory stays bounded', () => {
  const request = fc.record({ key: fc.nat(4), offset: fc.integer({ min: -3, max: 3 }), step: fc.nat(30) });
  fc.assert(
    fc.property(fc.array(request, { maxLength: 400 }), fc.integer({ min: 1, max: 50 }), (requests, bound) => {
      const memory = new NonceMemory(900, bound);
      const passed = new Set<string>();
      let now = 10_000_000;
      for (const { key, offset, step } of requests) {
        now += step * 1000;
        // a replay repeats key and date together: the date is signed
        const date = Math.floor(now / 100_000) * 100_000 + offset * 300_000;
        if (Math.abs(now - date) > 900_000) continue;
        const outcome = memory.remember(`n${key}`, date, now);
        const id = `${key}@${date}`;
        if (passed.has(id)) assert.notEqual(outcome, 'fresh');
        if (outcome === 'fresh') passed.add(id);
        assert.ok(memory.size <= bound);
      }
    }),
  );
});

/** Keeps what it is told, as a disk does. */
class KeptNonces implements NonceJournal {
  floor = Number.NEGATIVE_INFINITY;
  readonly records: [number, number][] = [];
  recall(each: (second: number, fingerprint: number) => void): void {
    for (const [second, fingerprint] of [...this.records]) each(second, fingerprint);
  }
  append(second: number, fingerprint: number): void {
    this.records.push([second, fingerprint]);
  }
  raiseFloor(second: number): void {
    this.floor = Math.max(this.floor, second);
  }
  async close(): Promise<void> {}
}

test('no replay passes across restarts either, and each new request does unless memory is short', () => {
  const step = fc.record({ key: fc.nat(6), offset: fc.integer({ min: -2, max: 2 }), restart: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.constantFrom(3, 1_000), (steps, bound) => {
      const journal = new KeptNonces();
      let memory = new NonceMemory(900, bound, journal);
      const passed = new Set<string>();
      let now = 10_000_000;
      for (const { key, offset, restart } of steps) {
        now += 20_000;
        if (restart) memory = new NonceMemory(900, bound, journal);
        const date = Math.floor(now / 100_000) * 100_000 + offset * 300_000;
        if (Math.abs(now - date) > 900_000) continue;
        const outcome = memory.remember(`n${key}`, date, now);
        const id = `${key}@${date}`;
        if (passed.has(id)) assert.notEqual(outcome, 'fresh');
        else if (bound === 1_000) assert.equal(outcome, 'fresh');
        if (outcome === 'fresh') passed.add(id);
        assert.ok(memory.size <= bound);
      }
    }),
  );
});

test('ten thousand nonces of one second are told apart', () => {
  const memory = new NonceMemory(900, 100_000);
  for (let i = 0; i < 10_000; i++) assert.equal(memory.remember(`nonce-${i}`, 5000, 5000), 'fresh');
  for (let i = 0; i < 10_000; i++) assert.equal(memory.remember(`nonce-${i}`, 5000, 5000), 'seen');
});
