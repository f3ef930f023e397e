import assert from 'node:assert/strict';
import { test } from 'node:test';
import { violations } from '../../../../src/apps/cli/chaos/checker.ts';
import type { Evidence, HistoryEntry, RecordedEnd, Testimony } from '../../../../src/apps/cli/chaos/history.ts';

const END: Omit<RecordedEnd, 'taskId'> = { state: 'Succeeded', attempts: 1, runs: [] };

function event(id: string, told: 'ok' | 'refused' | 'unknown' = 'ok'): HistoryEntry {
  return { kind: 'event', at: 0, id, told, functionName: 'f', failures: 0 };
}

function run(id: string, name: string, begin: number, end?: number): Testimony[] {
  const testimony: Testimony[] = [{ at: begin, what: 'begin', id, run: name }];
  return end === undefined ? testimony : [...testimony, { at: end, what: 'end', id, run: name }];
}

function delivered(id: string): Testimony {
  return { at: 99, what: 'delivered', id, run: `to ${id}` };
}

const GOOD: Evidence = {
  history: [
    { kind: 'deploy', at: 0, generation: 1, told: 'ok' },
    event('a'),
    event('b', 'unknown'),
    event('c', 'refused'),
    { kind: 'call', at: 0, id: 'd', told: 'ok', answered: 'd' },
    { kind: 'object', at: 0, key: 'k', text: 'one', told: 'ok' },
    { kind: 'object', at: 1, key: 'k', text: 'two', told: 'unknown' },
    { kind: 'fault', at: 2, fault: 'kill-server', detail: '' },
  ],
  testimony: [...run('a', 'a1', 1), ...run('a', 'a2', 5, 9), ...run('d', 'd1', 2, 3), delivered('a')],
  ends: [{ taskId: 'a', ...END }],
  objects: new Map([['k', 'two']]),
  generation: 1,
  maxRetries: 2,
  destination: true,
};

test('what keeps every promise passes', () => {
  assert.deepEqual(violations(GOOD), []);
  assert.deepEqual(violations({ ...GOOD, objects: new Map([['k', 'one']]) }), []);
});

const BROKEN: readonly (readonly [string, Partial<Evidence>, RegExp])[] = [
  ['an accepted event without an end', { ends: [] }, /^event a was accepted and has no end/],
  ['two ends', { ends: [...GOOD.ends, ...GOOD.ends] }, /^event a has 2 ends/],
  [
    'an end of what was refused',
    { ends: [...GOOD.ends, { taskId: 'c', ...END, state: 'Failed' }] },
    /c was refused and has/,
  ],
  [
    'a run of what was refused',
    { testimony: [...GOOD.testimony, ...run('c', 'c1', 1, 2)] },
    /^event c was refused and ran/,
  ],
  ['a run that nobody asked for', { testimony: [...GOOD.testimony, ...run('x', 'x1', 1, 2)] }, /^x ran and nobody/],
  ['a run inside another', { testimony: [...run('a', 'a1', 1, 9), ...run('a', 'a2', 5), delivered('a')] }, /overlap/],
  ['too many attempts counted', { ends: [{ taskId: 'a', ...END, attempts: 4 }] }, /counts 4 attempts, 3 are allowed/],
  [
    'too many runs',
    { testimony: [...[1, 2, 3, 4, 5].flatMap((n) => run('a', `a${n}`, n * 10, n * 10 + 1)), delivered('a')] },
    /ran 5 times to its end, with 1 faults 4 are allowed/,
  ],
  ['a success that was not delivered', { testimony: run('a', 'a2', 5, 9) }, /never reached its destination/],
  [
    "somebody else's answer",
    { history: [...GOOD.history, { kind: 'call', at: 0, id: 'e', told: 'ok', answered: 'd' }] },
    /^call e got the answer of d/,
  ],
  ['an object that is gone', { objects: new Map() }, /^object k was written and is gone/],
  ['an older object', { objects: new Map([['k', 'zero']]) }, /^object k holds something else/],
  ['an older deploy', { generation: 0 }, /^generation 0 answers, the last deployed is 1/],
];

for (const [what, change, complaint] of BROKEN) {
  test(`is found: ${what}`, () => {
    const found = violations({ ...GOOD, ...change });
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found[0] ?? '', complaint);
  });
}
