import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { plainBody } from '../../../src/apps/server/plain-body.ts';
import { type KnownLines, knownLines, plainRequest } from '../../../src/apps/server/plain-request.ts';

const TARGET = '/2023-03-30/functions/f/invocations';
const ALL = (): boolean => true;

interface Read {
  readonly method: string;
  readonly target: string;
  readonly rawHeaders: readonly string[];
  readonly headers: Readonly<Record<string, unknown>>;
  readonly distinct: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** What Node's own server makes of bytes that end with the connection: its requests, and whether it refused anything. */
async function nodeReads(bytes: Buffer): Promise<{ requests: Read[]; refused: boolean }> {
  const requests: Read[] = [];
  let refused = false;
  const reading: Promise<void>[] = [];
  const server: Server = createServer({ maxHeaderSize: 32 * 1024 }, (req, res) => {
    reading.push(read(req).then((one) => void requests.push(one)));
    res.end();
  });
  server.on('clientError', (_error, socket) => {
    refused = true;
    socket.destroy();
  });
  server.on('checkContinue', () => (refused = true));
  server.on('upgrade', () => (refused = true));
  const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  server.emit('connection', socket);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.push(bytes);
  socket.push(null);
  await closed;
  await Promise.all(reading).catch(() => (refused = true));
  return { requests, refused };
}

async function read(req: IncomingMessage): Promise<Read> {
  let body = '';
  for await (const chunk of req) body += (chunk as Buffer).toString('latin1');
  return {
    method: req.method ?? '',
    target: req.url ?? '',
    rawHeaders: req.rawHeaders,
    headers: { ...req.headers },
    distinct: { ...req.headersDistinct },
    body,
  };
}

/** The whole request that the plain parser sees in the bytes; undefined when they are for `node:http`. */
function plainRead(bytes: Buffer, known: KnownLines): Read | undefined {
  const found = plainRequest(bytes, ALL, {}, known);
  if (found === undefined) return undefined;
  const whole = plainBody(bytes, found.bodyAt, found.bodyLength);
  if (whole === undefined || whole === 'incomplete' || whole.end !== bytes.length) return undefined;
  const { method = '', url = '', rawHeaders, headers, headersDistinct } = found.head;
  const body = whole.bytes.toString('latin1');
  return { method, target: url, rawHeaders, headers: { ...headers }, distinct: { ...headersDistinct }, body };
}

/** Handed over, or read exactly as Node reads it. */
async function agrees(bytes: Buffer, known: KnownLines): Promise<boolean> {
  const plain = plainRead(bytes, known);
  if (plain === undefined) return false;
  const { requests, refused } = await nodeReads(bytes);
  assert.equal(refused, false, `node:http refuses ${JSON.stringify(bytes.toString('latin1'))}`);
  assert.deepEqual(requests, [plain]);
  return true;
}

const NAMES = [
  'Host',
  'content-type',
  'X-Acs-Date',
  'accept',
  'Connection',
  'keep-alive',
  'cookie',
  'constructor',
  'x_y.z',
];
const value = fc.oneof(
  fc.constantFrom('', 'a', 'keep-alive', 'Keep-Alive', 'close', 'a b', 'a, b', '"q"', '0', 'x\t', ' y '),
  fc.string({ minLength: 0, maxLength: 12 }),
);
const header = fc.tuple(
  fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...NAMES) }, fc.string({ maxLength: 8 })),
  value,
);
const target = fc.oneof(
  fc.constantFrom('/', TARGET, `${TARGET}?qualifier=a%20b`, '/~p/x?y=z&', '//x', '/a#b', 'http://h/x', '*'),
  fc.webPath(),
  fc.string({ maxLength: 10 }).map((text) => `/${text}`),
);
const request = fc
  .record({
    method: fc.constantFrom('POST', 'POST', 'GET', 'PUT', 'HEAD', 'DELETE', 'post', 'CONNECT', 'BREW'),
    target,
    headers: fc.uniqueArray(header, { maxLength: 6, selector: ([name]) => name.toLowerCase() }),
    body: fc.option(fc.string({ maxLength: 20 }), { nil: undefined }),
    gap: fc.constantFrom(': ', ': ', ':', ':  ', ' : '),
  })
  .map(({ method, target: to, headers, body, gap }) => {
    const lines = headers.map(([name, text]) => `${name}${gap}${text}\r\n`).join('');
    const bytes = Buffer.from(body ?? '');
    const length = body === undefined ? '' : `Content-Length: ${bytes.length}\r\n`;
    return Buffer.concat([
      Buffer.from(`${method} ${to} HTTP/1.1\r\nHost: h\r\n${lines}${length}\r\n`, 'latin1'),
      bytes,
    ]);
  });

test('well-formed and nearly well-formed requests: handed over, or read as node:http reads them', async () => {
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(request, async (bytes) => {
      if (await agrees(bytes, knownLines())) taken++;
    }),
    { numRuns: 1_500 },
  );
  assert.ok(taken > 50, `only ${taken} were read`);
});

const SIGNED = Buffer.from(
  `POST ${TARGET}?qualifier=7 HTTP/1.1\r\nhost: 127.0.0.1:9000\r\nconnection: keep-alive\r\ncontent-type: application/octet-stream\r\nX-Acs-Date: 2026-01-01T00:00:00Z\r\nauthorization: ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=b\r\ncontent-length: 5\r\n\r\nhello`,
);
const PIECES = [
  '\r',
  '\n',
  '\r\n',
  ' ',
  '\t',
  '\0',
  ':',
  ',',
  '5',
  '+',
  '-',
  '0x',
  'Content-Length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  '\r\n\r\n',
  'é',
  '\u007f',
  ';',
  'HTTP/1.0',
  '#',
];
const edit = fc.record({
  at: fc.nat({ max: SIGNED.length }),
  remove: fc.nat({ max: 3 }),
  insert: fc.oneof(fc.constantFrom('', ...PIECES), fc.string({ maxLength: 2 })),
});

test('a signed call with mutations: handed over, or read as node:http reads it', async () => {
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { maxLength: 2 }), async (edits) => {
      let text = SIGNED.toString('latin1');
      for (const { at, remove, insert } of edits) text = text.slice(0, at) + insert + text.slice(at + remove);
      // the lines of an earlier request on the connection change nothing
      const known = knownLines();
      plainRead(SIGNED, known);
      if (await agrees(Buffer.from(text, 'latin1'), known)) taken++;
    }),
    { numRuns: 2_500 },
  );
  assert.ok(taken > 200, `only ${taken} were read`);
});

test('arbitrary bytes are handed over', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.equal(plainRequest(Buffer.from(bytes), ALL, {}, knownLines()), undefined);
    }),
  );
});

function withHeaders(lines: string, body = 'hello'): Buffer {
  return Buffer.from(`POST ${TARGET} HTTP/1.1\r\nHost: h\r\n${lines}\r\n${body}`, 'latin1');
}

const SMUGGLING: Readonly<Record<string, Buffer>> = {
  'Content-Length and Transfer-Encoding': withHeaders('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'),
  'Transfer-Encoding and Content-Length': withHeaders('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n'),
  'two codings': withHeaders('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
  'a list of codings': withHeaders('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'),
  'another coding': withHeaders('Transfer-Encoding: identity\r\n', ''),
  'a coding in capitals': withHeaders('Transfer-Encoding: Chunked\r\n', '0\r\n\r\n'),
  'an empty coding': withHeaders('Transfer-Encoding: \r\nContent-Length: 5\r\n'),
  'Transfer-Encoding in disguise': withHeaders('Transfer-Encoding : chunked\r\nContent-Length: 5\r\n'),
  'two lengths': withHeaders('Content-Length: 5\r\nContent-Length: 5\r\n'),
  'two different lengths': withHeaders('Content-Length: 5\r\ncontent-length: 0\r\n'),
  'a list of lengths': withHeaders('Content-Length: 5, 5\r\n'),
  'a length with a plus sign': withHeaders('Content-Length: +5\r\n'),
  'a negative length': withHeaders('Content-Length: -5\r\n'),
  'a length with a space inside': withHeaders('Content-Length: 5 5\r\n'),
  'a length in hexadecimal': withHeaders('Content-Length: 0x5\r\n'),
  'a length with a leading zero': withHeaders('Content-Length: 05\r\n'),
  'an empty length': withHeaders('Content-Length: \r\n'),
  'a huge length': withHeaders('Content-Length: 99999999999999999999\r\n'),
  'a folded line': withHeaders('X-A: b\r\n c\r\nContent-Length: 5\r\n'),
  'a folded first line': Buffer.from(`POST ${TARGET} HTTP/1.1\r\n Host: h\r\n\r\n`),
  'a bare line feed between headers': withHeaders('X-A: b\nContent-Length: 5\r\n'),
  'a bare carriage return in a value': withHeaders('X-A: b\rc\r\nContent-Length: 5\r\n'),
  'a head ended by bare line feeds': Buffer.from(`POST ${TARGET} HTTP/1.1\nHost: h\nContent-Length: 0\n\n`),
  'a NUL in a value': withHeaders('X-A: b\0\r\nContent-Length: 5\r\n'),
  'a NUL in a name': withHeaders('X-\0A: b\r\nContent-Length: 5\r\n'),
  'a name with a space': withHeaders('X A: b\r\nContent-Length: 5\r\n'),
  'a space before the colon': withHeaders('Content-Length : 5\r\n'),
  'a line without a colon': withHeaders('Content-Length\r\nContent-Length: 5\r\n'),
  'an empty name': withHeaders(': b\r\nContent-Length: 5\r\n'),
  'two hosts': withHeaders('Host: other\r\nContent-Length: 5\r\n'),
  'no host': Buffer.from(`POST ${TARGET} HTTP/1.1\r\nContent-Length: 0\r\n\r\n`),
  'two signatures': withHeaders('Authorization: a\r\nAuthorization: b\r\nContent-Length: 5\r\n'),
  'bytes beyond ASCII': withHeaders('X-A: \xe9\r\nContent-Length: 5\r\n'),
  'Expect: 100-continue': withHeaders('Expect: 100-continue\r\nContent-Length: 5\r\n'),
  'an upgrade': withHeaders('Connection: upgrade\r\nUpgrade: websocket\r\n', ''),
  'Connection: close': withHeaders('Connection: close\r\nContent-Length: 5\r\n'),
  'a Connection that names a header': withHeaders('Connection: keep-alive, x-a\r\nContent-Length: 5\r\n'),
  'HTTP/1.0': Buffer.from(`POST ${TARGET} HTTP/1.0\r\nHost: h\r\n\r\n`),
  'HTTP/1.1 with a second space': Buffer.from(`POST ${TARGET}  HTTP/1.1\r\nHost: h\r\n\r\n`),
  'an absolute target': Buffer.from(`POST http://h${TARGET} HTTP/1.1\r\nHost: h\r\n\r\n`),
  'an empty line before the request': Buffer.from(`\r\nPOST ${TARGET} HTTP/1.1\r\nHost: h\r\n\r\n`),
  'a head of more than 8 KB': withHeaders(`X-A: ${'a'.repeat(8_200)}\r\n`, ''),
  'a hundred headers': withHeaders(Array.from({ length: 100 }, (_, i) => `x-${i}: 1\r\n`).join(''), ''),
  'a head that is not complete': Buffer.from(`POST ${TARGET} HTTP/1.1\r\nHost: h\r\n`),
  'a name that objects have': withHeaders('__proto__: b\r\nContent-Length: 5\r\n'),
};
for (const [name, bytes] of Object.entries(SMUGGLING)) {
  test(`for node:http: ${name}`, () => {
    const known = knownLines();
    assert.equal(plainRequest(bytes, ALL, {}, known), undefined);
    assert.notEqual(plainRequest(withHeaders('X-A: b\r\nContent-Length: 5\r\n'), ALL, {}, known), undefined);
    assert.equal(plainRequest(bytes, ALL, {}, known), undefined, 'after a plain one as well');
  });
}

test('requests that share lines with the ones before them: read as node:http reads them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 2, maxLength: 5 }), async (several) => {
      const known = knownLines();
      for (const bytes of several) await agrees(bytes, known);
    }),
    { numRuns: 500 },
  );
});

const CHUNKED = Buffer.from(
  `POST ${TARGET} HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1A\r\n${'z'.repeat(26)}\r\n0\r\n\r\n`,
);

test('a chunked call with mutations: handed over, or read as node:http reads it', async () => {
  assert.ok(await agrees(CHUNKED, knownLines()));
  const from = CHUNKED.indexOf('\r\n\r\n');
  const pieces = fc.constantFrom('', ...PIECES, '0', 'a', ';x=y', '0\r\n\r\n', '5\r\n', 'X-T: v\r\n');
  const change = fc.record({
    at: fc.oneof(fc.integer({ min: from, max: CHUNKED.length }), fc.nat({ max: from })),
    remove: fc.nat({ max: 3 }),
    insert: pieces,
  });
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 2 }), async (edits) => {
      let text = CHUNKED.toString('latin1');
      for (const { at, remove, insert } of edits) text = text.slice(0, at) + insert + text.slice(at + remove);
      if (await agrees(Buffer.from(text, 'latin1'), knownLines())) taken++;
    }),
    { numRuns: 2_500 },
  );
  assert.ok(taken > 100, `only ${taken} were read`);
});

test('chunks in any sizes are the body that node:http makes of them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 })), async (chunks) => {
      const coded = chunks.flatMap((chunk) => [
        Buffer.from(`${chunk.length.toString(16)}\r\n`),
        chunk,
        Buffer.from('\r\n'),
      ]);
      const head = CHUNKED.subarray(0, CHUNKED.indexOf('\r\n\r\n') + 4);
      assert.ok(await agrees(Buffer.concat([head, ...coded, Buffer.from('0\r\n\r\n')]), knownLines()));
    }),
    { numRuns: 200 },
  );
});

for (const [name, body] of Object.entries({
  'an extension': '5;a=b\r\nhello\r\n0\r\n\r\n',
  'a leading zero': '05\r\nhello\r\n0\r\n\r\n',
  'a size with a sign': '+5\r\nhello\r\n0\r\n\r\n',
  'a size with 0x': '0x5\r\nhello\r\n0\r\n\r\n',
  'a size with a space': '5 \r\nhello\r\n0\r\n\r\n',
  'no size': '\r\nhello\r\n0\r\n\r\n',
  'a huge size': 'fffffffff\r\nhello\r\n0\r\n\r\n',
  'bare line feeds': '5\nhello\n0\n\n',
  'data longer than its size': '5\r\nhello!\r\n0\r\n\r\n',
  'a trailer': '5\r\nhello\r\n0\r\nX-T: v\r\n\r\n',
  'more than 64 KB': `ffff\r\n${'x'.repeat(0xffff)}\r\n5\r\nhello\r\n0\r\n\r\n`,
})) {
  test(`for node:http: chunks with ${name}`, () => assert.equal(plainBody(Buffer.from(body), 0, 'chunked'), undefined));
}

test('a chunked body that was cut anywhere is incomplete', () => {
  const whole = Buffer.from('5\r\nhello\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n');
  for (let end = 0; end < whole.length; end++) {
    assert.equal(plainBody(whole.subarray(0, end), 0, 'chunked'), 'incomplete', `cut after ${end}`);
  }
  assert.equal(String((plainBody(whole, 0, 'chunked') as { bytes: Buffer }).bytes), 'helloabcdefghijklmnopqrstuvwxyz');
});

test('of two requests in one piece the first is not taken alone', () => {
  const two = Buffer.concat([SIGNED, SIGNED]);
  const found = plainRequest(two, ALL, {}, knownLines());
  assert.equal(found?.bodyAt, SIGNED.length - 5);
  const body = plainBody(two, found?.bodyAt ?? 0, found?.bodyLength ?? 0);
  assert.ok(typeof body === 'object' && body.end === SIGNED.length, 'the caller sees that more follows');
});

test('only what is asked for is taken', () => {
  assert.equal(
    plainRequest(SIGNED, () => false, {}, knownLines()),
    undefined,
  );
  assert.equal(
    plainRequest(SIGNED, (method, to) => method === 'POST' && to === `${TARGET}?qualifier=7`, {}, knownLines())
      ?.bodyLength,
    5,
  );
});
