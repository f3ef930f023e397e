import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import { readBody, streamBody } from '../../../src/doors/wire/body.ts';

async function withRequest(
  chunks: readonly Buffer[],
  use: (req: IncomingMessage) => Promise<unknown>,
): Promise<string> {
  const server = createServer((req, res) => {
    use(req).then(
      () => res.end('ok'),
      (error: unknown) => {
        req.resume();
        res.end(error instanceof TidemillError ? error.code : String(error));
      },
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await new Promise((resolve, reject) => {
      const { port } = server.address() as AddressInfo;
      const out = request({ host: '127.0.0.1', port, method: 'POST' }, (res) => {
        let text = '';
        res.on('data', (chunk) => (text += chunk)).on('end', () => resolve(text));
      });
      out.on('error', reject);
      for (const chunk of chunks) out.write(chunk);
      out.end();
    });
  } finally {
    server.close();
  }
}

const parts = Array.from({ length: 64 }, (_, i) => Buffer.alloc(10_000, i));
const whole = Buffer.concat(parts);

test('chunked bodies are joined and their hash is checked', async () => {
  const good = hash('sha256', whole);
  assert.equal(await withRequest(parts, async (req) => assert.deepEqual(await readBody(req, 1e6, good), whole)), 'ok');
  assert.equal(await withRequest(parts, (req) => readBody(req, 1e6, hash('sha256', 'other'))), 'SignatureNotMatch');
});

test('one chunk and no chunk are hashed as well', async () => {
  assert.equal(await withRequest([Buffer.from('hi')], (req) => readBody(req, 10, hash('sha256', 'hi'))), 'ok');
  assert.equal(
    await withRequest([Buffer.from('hi')], (req) => readBody(req, 10, hash('sha256', 'ho'))),
    'SignatureNotMatch',
  );
  assert.equal(await withRequest([], (req) => readBody(req, 10, hash('sha256', ''))), 'ok');
  assert.equal(await withRequest([], (req) => readBody(req, 10, hash('sha256', 'x'))), 'SignatureNotMatch');
});

test('the limit holds while a chunked body streams in, to the byte', async () => {
  assert.equal(await withRequest(parts, (req) => readBody(req, whole.length)), 'ok');
  assert.equal(await withRequest(parts, (req) => readBody(req, whole.length - 1)), 'EntityTooLarge');
});

test('a streamed body fails once it passes the limit', async () => {
  const drain = async (req: IncomingMessage, limit: number): Promise<void> => {
    let size = 0;
    for await (const chunk of streamBody(req, limit)) size += chunk.byteLength;
    assert.equal(size, whole.length);
  };
  assert.equal(await withRequest(parts, (req) => drain(req, whole.length)), 'ok');
  assert.equal(await withRequest(parts, (req) => drain(req, whole.length - 1)), 'EntityTooLarge');
});
