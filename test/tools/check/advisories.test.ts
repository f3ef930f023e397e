import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { advisories } from '../../../tools/check/advisories.ts';

const ROOT = join(import.meta.dirname, '../../..');

/** What a registry tells of a package: npm follows an advisory to whatever depends on the package. */
function packageOf(url: string): object {
  const name = decodeURIComponent(url.slice(1));
  return { name, 'dist-tags': { latest: '8.23.0' }, versions: { '8.23.0': { name, version: '8.23.0' } } };
}

/** A registry on loopback whose advisory service answers every question with `answer`. */
async function registry(status: number, answer: unknown): Promise<{ url: string; asked: string[]; close(): void }> {
  const asked: string[] = [];
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const body = Buffer.concat(chunks);
      asked.push(`${req.url} ${(req.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString()}`);
      const about = req.method === 'GET' ? packageOf(req.url ?? '') : answer;
      res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(about));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked, close };
}

test('a known weakness in a package that users run is found', async () => {
  const planted = { ws: [{ id: 1, url: 'x', title: 'planted', severity: 'high', vulnerable_versions: '>=0.0.0' }] };
  const service = await registry(200, planted);
  try {
    const outcome = await advisories(ROOT, service.url);
    assert.ok(outcome.asked);
    assert.match(outcome.findings.map(({ message }) => message).join('\n'), /ws .*known weakness \(high\)/);
    assert.match(service.asked.join('\n'), /"undici"/, 'what users run is asked about');
    assert.doesNotMatch(service.asked.join('\n'), /"fast-check"/, 'what only tests use is not');
  } finally {
    service.close();
  }
});

test('a registry without an advisory service is not taken for a clean answer', async () => {
  const service = await registry(405, { error: 'no' });
  try {
    assert.equal((await advisories(ROOT, service.url)).asked, false);
  } finally {
    service.close();
  }
});

test('nothing is known against the packages that users run', async (t) => {
  const outcome = await advisories(ROOT);
  if (!outcome.asked) return t.skip(`the registry cannot be asked from here: ${outcome.why}`);
  assert.deepEqual(outcome.findings, []);
});
