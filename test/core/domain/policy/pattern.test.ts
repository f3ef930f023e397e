import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compilePattern } from '../../../../src/core/domain/policy/pattern.ts';

/** The same language, the slow way: what is already matched is tried against every rest. */
function matchesSlowly(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  if (pattern.startsWith('*'))
    return matchesSlowly(pattern.slice(1), text) || (text !== '' && matchesSlowly(pattern, text.slice(1)));
  return (
    text !== '' && (pattern[0] === '?' || pattern[0] === text[0]) && matchesSlowly(pattern.slice(1), text.slice(1))
  );
}

test('every pattern means what the definition says, over word boundaries too', () => {
  const letters = fc.constantFrom('a', 'b', ':', '/');
  const pattern = fc.array(fc.oneof(letters, fc.constantFrom('*', '?')), { maxLength: 12 }).map((all) => all.join(''));
  const text = fc.array(letters, { maxLength: 14 }).map((all) => all.join(''));
  const padding = fc.constantFrom(0, 25, 30, 31, 32, 33, 64);
  fc.assert(
    fc.property(pattern, text, padding, (glob, candidate, count) => {
      const pad = 'x'.repeat(count);
      assert.equal(compilePattern(pad + glob).matches(pad + candidate), matchesSlowly(glob, candidate));
    }),
    { numRuns: 2_000 },
  );
});

test('a text matches itself, and letters count unless told otherwise', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 80 }), (text) => {
      assert.ok(compilePattern(text).matches(text));
      assert.ok(compilePattern(`${text}*`).matches(`${text}x${text}`));
    }),
  );
  assert.equal(compilePattern('oss:Get*').matches('OSS:GETOBJECT'), false);
  assert.equal(compilePattern('oss:Get*', { ignoreCase: true }).matches('OSS:GETOBJECT'), true);
});

test('time grows with the text alone: what makes others backtrack costs no more than the plain pattern', () => {
  const text = 'a'.repeat(20_000);
  const plain = timeOf('*aaaaaaaaaaaaaaaaaaaaaaaaaaab', text);
  const hostile = timeOf(`${'*a'.repeat(27)}b`, text);
  assert.ok(hostile < plain * 8 + 5, `hostile ${hostile} ms, plain ${plain} ms`);
});

function timeOf(pattern: string, text: string): number {
  const compiled = compilePattern(pattern);
  const rounds = Array.from({ length: 7 }, () => {
    const begun = process.cpuUsage();
    for (let i = 0; i < 10; i++) assert.equal(compiled.matches(text), false);
    const { user, system } = process.cpuUsage(begun);
    return (user + system) / 1_000;
  });
  return rounds.sort((a, b) => a - b)[3]!;
}
