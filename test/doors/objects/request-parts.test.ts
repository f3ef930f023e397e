import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import { addressCandidates, DEFAULT_BASE_HOSTS } from '../../../src/doors/objects/address.ts';
import { evaluateConditions, rangeStillHolds, unquoteEtag } from '../../../src/doors/objects/conditions.ts';
import { parseCopySource } from '../../../src/doors/objects/object-operations.ts';
import { checkPolicy } from '../../../src/doors/objects/post-policy.ts';
import { parseRange } from '../../../src/doors/objects/range.ts';
import { element, parseXml, xmlDocument } from '../../../src/doors/objects/xml.ts';

describe('address', () => {
  const first = (host: string, path: string): unknown => addressCandidates(host, path, DEFAULT_BASE_HOSTS)[0];

  test('path style on plain hosts', () => {
    for (const host of ['', 'localhost', '127.0.0.1', 's3.localhost', 'my.server.lan']) {
      assert.deepEqual(first(host, '/'), {});
      assert.deepEqual(first(host, '/b'), { bucket: 'b' });
      assert.deepEqual(first(host, '/b/'), { bucket: 'b' });
      assert.deepEqual(first(host, '/b//k/'), { bucket: 'b', key: '/k/' });
    }
  });

  test('virtual hosts, with anything between bucket and localhost', () => {
    for (const host of ['b.localhost', 'b.s3.localhost', 'b.x.y.localhost', 'b.oss-cn-hangzhou.aliyuncs.com']) {
      assert.deepEqual(first(host, '/'), { bucket: 'b' });
      assert.deepEqual(first(host, '/k/l'), { bucket: 'b', key: 'k/l' });
      assert.deepEqual(first(host, '//k'), { bucket: 'b', key: '/k' });
    }
    assert.deepEqual(first('a.b.s3.localhost', '/k'), { bucket: 'a.b', key: 'k' });
  });

  test('an OSS client may have meant the path after all', () => {
    assert.deepEqual(addressCandidates('b.local.aliyuncs.com', '/b/k', DEFAULT_BASE_HOSTS)[1], {
      bucket: 'b',
      key: 'k',
    });
  });
});

describe('range', () => {
  test('single ranges, suffixes and what cannot be', () => {
    assert.deepEqual(parseRange('bytes=0-0', 10), { start: 0, end: 0 });
    assert.deepEqual(parseRange('bytes=5-', 10), { start: 5, end: 9 });
    assert.deepEqual(parseRange('bytes=-3', 10), { start: 7, end: 9 });
    assert.deepEqual(parseRange('bytes=-30', 10), { start: 0, end: 9 });
    assert.equal(parseRange('bytes=10-', 10), 'unsatisfiable');
    assert.equal(parseRange('bytes=-0', 10), 'unsatisfiable');
    assert.equal(parseRange('bytes=0-', 0), 'unsatisfiable');
    for (const whole of [undefined, 'bytes=-', 'bytes=3-2', 'bytes=0-1,3-4', 'lines=1-2', 'bytes=a-b']) {
      assert.equal(parseRange(whole, 10), 'whole');
    }
  });

  test('whatever is asked, the span lies inside the object', () => {
    const property = fc.property(fc.string(), fc.nat(), fc.nat(), fc.nat({ max: 1000 }), (text, a, b, size) => {
      for (const header of [text, `bytes=${text}`, `bytes=${a}-${b}`, `bytes=${a}-`, `bytes=-${b}`]) {
        const range = parseRange(header, size);
        if (typeof range === 'string') continue;
        assert.ok(range.start >= 0 && range.start <= range.end && range.end < size);
      }
    });
    fc.assert(property);
  });
});

describe('conditions', () => {
  const object = { etag: 'abc', lastModified: 1_700_000_000_500 };
  const none = { ifMatch: undefined, ifNoneMatch: undefined, ifModifiedSince: undefined, ifUnmodifiedSince: undefined };
  const at = (offset: number): string => new Date(1_700_000_000_000 + offset).toUTCString();

  test('the precedence of RFC 9110', () => {
    const cases: [object, string][] = [
      [{}, 'proceed'],
      [{ ifMatch: '"x", "abc"' }, 'proceed'],
      [{ ifMatch: '*' }, 'proceed'],
      [{ ifMatch: '"x"' }, 'failed'],
      [{ ifMatch: '"abc"', ifUnmodifiedSince: at(-5000) }, 'proceed'],
      [{ ifUnmodifiedSince: at(-5000) }, 'failed'],
      [{ ifUnmodifiedSince: at(0) }, 'proceed'],
      [{ ifNoneMatch: 'W/"abc"' }, 'not-modified'],
      [{ ifNoneMatch: '"x"', ifModifiedSince: at(5000) }, 'proceed'],
      [{ ifModifiedSince: at(0) }, 'not-modified'],
      [{ ifModifiedSince: at(-1000) }, 'proceed'],
      [{ ifModifiedSince: 'nonsense' }, 'proceed'],
    ];
    for (const [given, expected] of cases) assert.equal(evaluateConditions({ ...none, ...given }, object), expected);
  });

  test('If-Range', () => {
    assert.equal(rangeStillHolds(undefined, object), true);
    assert.equal(rangeStillHolds('"abc"', object), true);
    assert.equal(rangeStillHolds('W/"abc"', object), false);
    assert.equal(rangeStillHolds(at(0), object), true);
    assert.equal(rangeStillHolds(at(1000), object), false);
  });

  test('ETags lose their quotes', () => {
    for (const text of ['abc', '"abc"', ' "ABC" ', 'W/"abc"']) assert.equal(unquoteEtag(text), 'abc');
  });
});

describe('copy source', () => {
  test('with and without slash, percent-encoded or in bytes', () => {
    assert.deepEqual(parseCopySource('/b/k%20l/m'), { bucket: 'b', key: 'k l/m' });
    assert.deepEqual(parseCopySource('b//k'), { bucket: 'b', key: '/k' });
    assert.deepEqual(parseCopySource(Buffer.from('b/文').toString('latin1')), { bucket: 'b', key: '文' });
    assert.deepEqual(parseCopySource('b/k%3FversionId%3D1'), { bucket: 'b', key: 'k?versionId=1' });
    for (const bad of ['', '/', 'b', '/b/', 'b/%', 'b/%ff'])
      assert.throws(() => parseCopySource(bad), { code: 'InvalidArgument' });
    assert.throws(() => parseCopySource('b/k?versionId=1'), { code: 'NotSupported' });
  });
});

describe('XML', () => {
  test('any text survives being written and parsed', () => {
    const property = fc.property(
      fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
      (text) => {
        assert.equal(parseXml(xmlDocument(element('A', [element('B', text)])), 'A').text('B'), text);
      },
    );
    fc.assert(property);
  });

  test('garbage is an expected failure; nothing expands', () => {
    const property = fc.property(
      fc.string({ unit: fc.constantFrom('<', '>', '/', 'A', '&', '!', '"', '=', ' ', '?') }),
      (text) => {
        try {
          parseXml(text, 'A');
        } catch (error) {
          assert.ok(error instanceof TidemillError && error.code === 'MalformedXML', String(error));
        }
      },
    );
    fc.assert(property);
    assert.throws(() => parseXml('<!DOCTYPE A><A/>', 'A'), { code: 'MalformedXML' });
    assert.equal(parseXml('<A><B>&quot;&#x41;&unknown;&amp;lt;</B></A>', 'A').text('B'), '"A&unknown;&lt;');
    const deep = `${'<A>'.repeat(50_000)}${'</A>'.repeat(50_000)}`;
    assert.throws(() => parseXml(deep, 'A').text('A') ?? parseXml('', 'A'), { code: 'MalformedXML' });
  });
});

describe('form policy', () => {
  const now = Date.UTC(2026, 0, 1);
  const encode = (conditions: unknown, expiration = '2026-01-02T00:00:00Z'): string =>
    Buffer.from(JSON.stringify({ expiration, conditions })).toString('base64');
  const check = (policy: string, fields: Record<string, string>, everyField = false): unknown =>
    checkPolicy(policy, new Map(Object.entries(fields)), 'b', { now, maxBytes: 1000, everyField });

  test('conditions hold or the form is refused', () => {
    const ok = encode([
      { bucket: 'b' },
      ['starts-with', '$key', 'user/'],
      ['content-length-range', 1, 50],
      ['eq', '$x', '1'],
    ]);
    assert.deepEqual(check(ok, { key: 'user/a', x: '1' }), { minBytes: 1, maxBytes: 50 });
    assert.throws(() => check(ok, { key: 'other/a', x: '1' }), { code: 'AccessDenied' });
    assert.throws(() => check(ok, { key: 'user/a', x: '2' }), { code: 'AccessDenied' });
    assert.throws(() => check(encode([{ bucket: 'c' }]), {}), { code: 'AccessDenied' });
    assert.doesNotThrow(() => check(encode([['in', '$type', ['a', 'b']]]), { type: 'a' }));
    assert.throws(() => check(encode([['not-in', '$type', ['a', 'b']]]), { type: 'a' }), { code: 'AccessDenied' });
    assert.throws(() => check(encode([['like', '$type', 'a']]), { type: 'a' }), { code: 'NotSupported' });
    assert.throws(() => check(encode([], '2025-01-01T00:00:00Z'), {}), { code: 'AccessDenied' });
    assert.throws(() => check(encode([{ key: 'k' }]), { key: 'k', extra: '1' }, true), { code: 'AccessDenied' });
    for (const bad of ['', 'e30=', encode('x'), encode([1])])
      assert.throws(() => check(bad, {}), { code: 'InvalidArgument' });
  });
});
