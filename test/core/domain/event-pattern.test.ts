import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type EventPattern, matchesPattern, patternProblem } from '../../../src/core/domain/event-pattern.ts';

const EVENT = {
  type: 'push',
  data: {
    ref: 'refs/heads/main',
    forced: false,
    size: 3,
    labels: ['bug', 'urgent'],
    author: null,
    commits: [{ id: 1 }],
  },
};

const table: readonly (readonly [EventPattern, boolean])[] = [
  [{}, true],
  [{ type: ['push'] }, true],
  [{ type: ['pull_request', 'push'] }, true],
  [{ type: ['pull_request'] }, false],
  [{ type: ['push'], data: { ref: ['refs/heads/main'] } }, true],
  [{ type: ['push'], data: { ref: ['refs/heads/dev'] } }, false],
  [{ data: { ref: [{ prefix: 'refs/heads/' }] } }, true],
  [{ data: { ref: [{ prefix: 'refs/tags/' }] } }, false],
  [{ data: { ref: [{ suffix: '/main' }] } }, true],
  [{ data: { ref: [{ contains: 'heads' }] } }, true],
  [{ data: { ref: [{ contains: 'tags' }, { suffix: 'main' }] } }, true],
  [{ data: { forced: [false] } }, true],
  [{ data: { forced: ['false'] } }, false],
  [{ data: { author: [null] } }, true],
  [{ data: { size: [3] } }, true],
  [{ data: { size: [{ numeric: ['>', 0, '<=', 3] }] } }, true],
  [{ data: { size: [{ numeric: ['<', 3] }] } }, false],
  [{ data: { ref: [{ numeric: ['=', 3] }] } }, false],
  [{ data: { labels: ['bug'] } }, true],
  [{ data: { labels: ['feature'] } }, false],
  [{ data: { ref: [{ 'anything-but': 'refs/heads/main' }] } }, false],
  [{ data: { ref: [{ 'anything-but': ['a', 'b'] }] } }, true],
  [{ data: { ref: [{ 'anything-but': { prefix: 'refs/tags' } }] } }, true],
  [{ data: { ref: [{ 'anything-but': { prefix: 'refs/heads' } }] } }, false],
  [{ data: { tag: [{ exists: false }] } }, true],
  [{ data: { tag: [{ exists: true }] } }, false],
  [{ data: { ref: [{ exists: true }] } }, true],
  [{ data: { tag: [{ 'anything-but': 'v1' }] } }, false],
  [{ type: { deeper: ['x'] } }, false],
  [{ toString: [{ exists: true }] }, false],
];

test('what matches', () => {
  for (const [pattern, expected] of table) {
    assert.equal(patternProblem(pattern), undefined, JSON.stringify(pattern));
    assert.equal(matchesPattern(pattern, EVENT), expected, JSON.stringify(pattern));
  }
});

test('what is no pattern is refused with the path of the field', () => {
  let deep: unknown = ['x'];
  for (let level = 0; level < 12; level++) deep = { a: deep };
  const wrong: readonly (readonly [unknown, RegExp])[] = [
    [[], /the pattern must be an object/],
    [{ a: 'x' }, /^a must be an object or a list/],
    [{ a: { b: [] } }, /^a\.b is an empty list/],
    [{ a: [{ prefix: 1 }] }, /^a has \{"prefix":1\}/],
    [{ a: [{ cidr: '10.0.0.0/8' }] }, /^a has/],
    [{ a: [{ prefix: 'x', suffix: 'y' }] }, /^a has/],
    [{ a: [{ numeric: ['>'] }] }, /^a has/],
    [{ a: [{ numeric: ['~', 1] }] }, /^a has/],
    [{ a: [{ numeric: ['constructor', 1] }] }, /^a has/],
    [{ a: [['x']] }, /^a has/],
    [deep, /deeper than 10 levels/],
  ];
  for (const [pattern, message] of wrong) assert.match(patternProblem(pattern) ?? 'no problem', message);
});

test('a pattern that was accepted never fails on any event', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (pattern, event) => {
      if (patternProblem(pattern) === undefined) matchesPattern(pattern as EventPattern, event);
    }),
  );
});
