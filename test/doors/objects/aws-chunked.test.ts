import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import { AwsChunkedParser, AwsChunkSignatures } from '../../../src/doors/objects/aws-chunked.ts';
import { foldKey } from '../../../src/doors/objects/signature.ts';

/** The worked example of the S3 API reference, "Signature calculations: transferring payload in multiple chunks". */
const EXAMPLE = {
  secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  time: '20130524T000000Z',
  scope: ['20130524', 'us-east-1', 's3', 'aws4_request'],
  seed: '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
  chunks: [
    { data: Buffer.alloc(65_536, 'a'), signature: 'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648' },
    { data: Buffer.alloc(1024, 'a'), signature: '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497' },
    { data: Buffer.alloc(0), signature: 'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9' },
  ],
};

function exampleSignatures(): AwsChunkSignatures {
  return new AwsChunkSignatures({
    signingKey: foldKey(`AWS4${EXAMPLE.secret}`, EXAMPLE.scope),
    time: EXAMPLE.time,
    scope: EXAMPLE.scope.join('/'),
    seed: EXAMPLE.seed,
  });
}

function encode(chunks: readonly { data: Uint8Array; signature?: string }[], trailer = ''): Buffer {
  const parts = chunks.flatMap(({ data, signature }) => [
    Buffer.from(`${data.length.toString(16)}${signature === undefined ? '' : `;chunk-signature=${signature}`}\r\n`),
    data,
    Buffer.from(data.length === 0 ? `${trailer}\r\n` : '\r\n'),
  ]);
  return Buffer.concat(parts);
}

function decode(input: Buffer, signatures?: AwsChunkSignatures, cuts: readonly number[] = []): Buffer {
  const parser = new AwsChunkedParser(signatures);
  const out: Uint8Array[] = [];
  const positions = [0, ...cuts.map((cut) => cut % (input.length + 1)).sort((a, b) => a - b), input.length];
  positions.slice(1).forEach((end, index) => out.push(...parser.push(input.subarray(positions[index], end))));
  parser.finish();
  return Buffer.concat(out);
}

function refused(code: string): (error: unknown) => boolean {
  return (error) => error instanceof TidemillError && error.code === code;
}

test('the documented example verifies', () => {
  const decoded = decode(encode(EXAMPLE.chunks), exampleSignatures());
  assert.equal(decoded.length, 66_560);
});

test('any changed byte, dropped or reordered chunk breaks the chain', () => {
  const [first, second, last] = EXAMPLE.chunks;
  assert.ok(first && second && last);
  const changed = encode(EXAMPLE.chunks);
  changed[100] = 0x62;
  assert.throws(() => decode(changed, exampleSignatures()), refused('SignatureNotMatch'));
  assert.throws(() => decode(encode([first, last]), exampleSignatures()), refused('SignatureNotMatch'));
  assert.throws(() => decode(encode([second, first, last]), exampleSignatures()), refused('SignatureNotMatch'));
  assert.throws(() => decode(encode([first, second]), exampleSignatures()), refused('IncompleteBody'));
  const unsigned = EXAMPLE.chunks.map(({ data }) => ({ data }));
  assert.throws(() => decode(encode(unsigned), exampleSignatures()), refused('SignatureNotMatch'));
});

test('a trailer under a signed chain needs its own signature', () => {
  const trailer = 'x-amz-checksum-crc32:AAAAAA==\r\nx-amz-trailer-signature:00\r\n';
  assert.throws(() => decode(encode(EXAMPLE.chunks, trailer), exampleSignatures()), refused('SignatureNotMatch'));
});

test('whatever the chunks and wherever the input is cut, the data comes out', () => {
  const property = fc.property(
    fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 6 }),
    fc.array(fc.nat(), { maxLength: 8 }),
    fc.boolean(),
    (datas, cuts, withTrailer) => {
      const chunks = [...datas, new Uint8Array()].map((data) => ({ data }));
      const input = encode(chunks, withTrailer ? 'X-Amz-Checksum-CRC32: AAAAAA==\r\n' : '');
      assert.ok(decode(input, undefined, cuts).equals(Buffer.concat(datas)));
    },
  );
  fc.assert(property);
});

test('garbage is refused with an expected failure, never another exception', () => {
  const property = fc.property(
    fc.uint8Array({ maxLength: 200 }),
    fc.array(fc.nat(), { maxLength: 3 }),
    (garbage, cuts) => {
      try {
        decode(Buffer.from(garbage), undefined, cuts);
      } catch (error) {
        assert.ok(error instanceof TidemillError, String(error));
      }
    },
  );
  fc.assert(property);
  const cases = [
    'zz\r\n',
    '5\r\nabc',
    '3\r\nabcd\r\n0\r\n\r\n',
    '0\r\n\r\nmore',
    '1'.repeat(2000),
    '-1\r\n\r\n',
    '0\r\nno-colon\r\n\r\n',
  ];
  for (const text of cases) assert.throws(() => decode(Buffer.from(text)), TidemillError, text);
});
