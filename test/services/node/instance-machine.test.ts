import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type InstanceEffect,
  type InstanceEvent,
  type InstancePhase,
  transition,
} from '../../../src/services/node/instance-machine.ts';

const crash = { reason: 'crash', exitCode: 1 } as const;

function names(effects: readonly InstanceEffect[]): string[] {
  return effects.map((effect) => effect.type);
}

const TABLE: readonly [InstancePhase['phase'], InstanceEvent, InstancePhase['phase'], string[]][] = [
  ['starting', { type: 'started' }, 'ready', ['journal', 'answer-started']],
  ['starting', { type: 'start-failed' }, 'failing', ['destroy']],
  ['starting', { type: 'stop' }, 'starting', ['abort-start']],
  ['starting', { type: 'kill', reason: 'killed' }, 'starting', ['abort-start']],
  ['starting', { type: 'exited', exit: crash }, 'starting', ['abort-start']],
  ['failing', { type: 'destroyed' }, 'gone', ['answer-failed', 'forget']],
  ['failing', { type: 'stop' }, 'failing', []],
  ['ready', { type: 'stop' }, 'stopping', ['run-pre-stop']],
  ['ready', { type: 'kill', reason: 'timeout' }, 'ending', ['kill']],
  ['ready', { type: 'exited', exit: crash }, 'ending', ['announce-exit', 'destroy']],
  ['ready', { type: 'hook-ended' }, 'ready', []],
  ['stopping', { type: 'hook-ended' }, 'ending', ['kill']],
  ['stopping', { type: 'stop' }, 'stopping', []],
  ['stopping', { type: 'kill', reason: 'killed' }, 'ending', ['kill']],
  ['stopping', { type: 'exited', exit: crash }, 'ending', ['announce-exit', 'destroy']],
  ['ending', { type: 'exited', exit: crash }, 'ending', ['announce-exit', 'destroy']],
  ['ending', { type: 'destroyed' }, 'gone', ['announce-exit', 'forget']],
  ['gone', { type: 'exited', exit: crash }, 'gone', []],
];

function stateOf(phase: InstancePhase['phase']): InstancePhase {
  return phase === 'ending' ? { phase, reason: 'killed', announced: false } : { phase };
}

for (const [from, event, to, effects] of TABLE) {
  test(`${from} + ${event.type} -> ${to} [${effects.join(', ')}]`, () => {
    const next = transition(stateOf(from), event);
    assert.equal(next.state.phase, to);
    assert.deepEqual(names(next.effects), effects);
  });
}

const anyEvent = fc.constantFrom<InstanceEvent>(
  { type: 'started' },
  { type: 'start-failed' },
  { type: 'stop' },
  { type: 'kill', reason: 'timeout' },
  { type: 'hook-ended' },
  { type: 'exited', exit: crash },
  { type: 'destroyed' },
);

test('whatever happens in whatever order: one answer, one exit for what became ready, none for what did not', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 30 }), (events) => {
      let state: InstancePhase = { phase: 'starting' };
      const seen: string[] = [];
      for (const event of events) {
        const next = transition(state, event);
        state = next.state;
        seen.push(...names(next.effects));
      }
      const count = (name: string) => seen.filter((one) => one === name).length;
      assert.ok(count('answer-started') + count('answer-failed') <= 1);
      assert.ok(count('announce-exit') <= count('answer-started'));
      assert.ok(count('forget') <= 1);
      if (state.phase === 'gone') {
        assert.equal(count('announce-exit'), count('answer-started'));
        assert.equal(count('forget'), 1);
      }
    }),
  );
});

test('from every state that can be reached, the end can be reached', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 12 }), (events) => {
      let state: InstancePhase = { phase: 'starting' };
      for (const event of events) state = transition(state, event).state;
      for (const type of ['start-failed', 'stop', 'hook-ended', 'destroyed'] as const) {
        state = transition(state, { type }).state;
      }
      assert.equal(state.phase, 'gone');
    }),
  );
});
