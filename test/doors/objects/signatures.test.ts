import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { rootPrincipal } from '../../../src/core/domain/credentials.ts';
import type { Identity } from '../../../src/core/ports/identity.ts';
import { ossV1StringToSign } from '../../../src/doors/objects/oss-v1.ts';
import { ossV4CanonicalRequest } from '../../../src/doors/objects/oss-v4.ts';
import { type ObjectsRequest, percentDecode, percentEncode, readRequest } from '../../../src/doors/objects/request.ts';
import { canonicalRequest, verifySigV4 } from '../../../src/doors/objects/sigv4.ts';
import { EMPTY_SHA256, sha256Hex } from '../../../src/doors/objects/signature.ts';

interface OssSigning {
  buildCanonicalString(method: string, resource: string, request: object, expires?: string): string;
  getCanonicalRequest(method: string, request: object, bucket?: string, object?: string, additional?: string[]): string;
}
/** What the real client computes: the oracle. */
const oracle = createRequire(import.meta.url)('ali-oss/lib/common/signUtils.js') as OssSigning;

function request(method: string, url: string, headers: Record<string, string> = {}): ObjectsRequest {
  const headersDistinct = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]));
  return readRequest({ method, url, headersDistinct, socket: {} } as unknown as Parameters<typeof readRequest>[0]);
}

const keyArb = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }).filter((key) => key.isWellFormed());

describe('AWS signature version 4', () => {
  // The worked GET example of the S3 API reference.
  const headers = {
    host: 'examplebucket.s3.amazonaws.com',
    range: 'bytes=0-9',
    'x-amz-content-sha256': EMPTY_SHA256,
    'x-amz-date': '20130524T000000Z',
    authorization:
      'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,' +
      'SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,' +
      'Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  };
  const identity: Identity = {
    findKey: (id) =>
      id === 'AKIAIOSFODNN7EXAMPLE'
        ? { secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', principal: rootPrincipal('1') }
        : undefined,
    noteUse() {},
    credentialsFor() {
      throw new Error('not asked for here');
    },
  };
  const context = { identity, now: Date.UTC(2013, 4, 24), candidates: [{ bucket: 'examplebucket', key: 'test.txt' }] };

  test('the documented example verifies', () => {
    const verified = verifySigV4(request('GET', '/test.txt', headers), context);
    assert.equal(verified.principal.account, '1');
    assert.deepEqual(verified.payload, { kind: 'plain', sha256: EMPTY_SHA256 });
  });

  test('any change is refused, also an unsigned x-amz header', () => {
    const refused = (code: string, change: object, url = '/test.txt', now = context.now): void => {
      assert.throws(() => verifySigV4(request('GET', url, { ...headers, ...change }), { ...context, now }), { code });
    };
    refused('SignatureNotMatch', { range: 'bytes=0-10' });
    refused('SignatureNotMatch', {}, '/test.txt?x=1');
    refused('SignatureNotMatch', {}, '/other.txt');
    refused('AccessDenied', { 'x-amz-acl': 'public-read' });
    refused('RequestTimeTooSkewed', {}, '/test.txt', context.now + 901_000);
    refused('InvalidAccessKeyID', { authorization: headers.authorization.replace('AKIA', 'BKIA') });
    refused('InvalidArgument', { authorization: headers.authorization.replace('/s3/', '/ec2/') });
    refused('InvalidArgument', { 'x-amz-date': '20130525T000000Z' });
  });

  test('the documented canonical request of a presigned URL', () => {
    const url =
      '/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request' +
      '&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host' +
      '&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404';
    const presigned = request('GET', url, { host: headers.host });
    assert.equal(verifySigV4(presigned, context).payload.kind, 'plain');
    const canonical = canonicalRequest(presigned, {
      query: presigned.query.filter(([name]) => name !== 'X-Amz-Signature'),
      signedHeaders: ['host'],
      payloadHash: 'UNSIGNED-PAYLOAD',
    });
    assert.equal(sha256Hex(canonical), '3bfa292879f6447bbcda7001decf97f4a54dc650c8942174ae0a9121cf58ad04');
    assert.throws(() => verifySigV4(presigned, { ...context, now: context.now + 86_401_000 }), {
      code: 'AccessDenied',
    });
  });
});

describe('OSS signatures against what the client computes', () => {
  test('first version: string to sign', () => {
    const property = fc.property(
      keyArb,
      fc.constantFrom('', 'text/plain'),
      fc.string({ unit: 'grapheme-ascii', maxLength: 8 }),
      (key, type, id) => {
        const headers = {
          'content-type': type,
          'content-md5': 'm',
          'x-oss-date': 'd',
          'x-oss-meta-b': 'v',
          'x-oss-meta': 'w',
          'x-oss-meta-a': ' x ',
        };
        const parameters = { uploadId: id, partNumber: '1', acl: '' };
        const expected = oracle.buildCanonicalString('PUT', `/bucket/${key}`, { headers, parameters });
        const query = `partNumber=1&max-keys=3&acl&uploadId=${percentEncode(id)}`;
        const actual = ossV1StringToSign(
          request('PUT', `/${percentEncode(key)}?${query}`, headers),
          { bucket: 'bucket', key },
          'd',
        );
        assert.equal(Buffer.from(actual, 'latin1').toString(), expected);
      },
    );
    fc.assert(property);
  });

  test('fourth version: canonical request', () => {
    const property = fc.property(keyArb, keyArb, (key, value) => {
      const headers = {
        'content-type': 'text/x',
        'x-oss-date': 'd',
        'x-oss-content-sha256': 'UNSIGNED-PAYLOAD',
        'x-own': '1',
        other: '2',
      };
      const queries = { prefix: value, acl: null, marker: 'm' };
      const expected = oracle.getCanonicalRequest('GET', { headers, queries }, 'bucket', key, ['x-own']);
      const url = `/${percentEncode(key)}?marker=m&acl=&prefix=${percentEncode(value)}`;
      const parsed = request('GET', url, headers);
      const claim = { query: parsed.query, additionalHeaders: ['x-own'] };
      assert.equal(ossV4CanonicalRequest(parsed, { bucket: 'bucket', key }, claim, 'bare'), expected);
    });
    fc.assert(property);
  });
});

describe('percent-encoding', () => {
  test('is undone by decoding, and leaves only what every scheme calls unreserved', () => {
    const property = fc.property(keyArb, (text) => {
      const encoded = percentEncode(text);
      assert.match(encoded, /^[A-Za-z0-9\-._~%]*$/);
      assert.equal(percentDecode(encoded), text);
    });
    fc.assert(property);
  });

  test('a plus is a space in a query and itself in a path', () => {
    const parsed = request('GET', '/a+b?c=d+e&f=g%2Bh');
    assert.equal(parsed.path, '/a+b');
    assert.deepEqual(parsed.query, [
      ['c', 'd e'],
      ['f', 'g+h'],
    ]);
  });
});
