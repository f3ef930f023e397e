import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readdir, stat } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { temporaryFolder } from '../../adapters/temporary-folder.ts';

const MIB = 1024 * 1024;
const SIZE = 384 * MIB;
/** Far below the object, and above what the garbage collector lets lie about. */
const ALLOWED_GROWTH = 96 * MIB;

interface Server {
  readonly port: number;
  readonly key: { readonly id: string; readonly secret: string };
  memory(): Promise<{ rss: number; peak: number }>;
  stop(): Promise<void>;
}

async function startServer(dir: string): Promise<Server> {
  const child: ChildProcess = fork(new URL('./endpoint-process.ts', import.meta.url), [dir], { execArgv: [] });
  const [ready] = (await once(child, 'message')) as [{ port: number; keys: { root: Server['key'] } }];
  const server: Server = {
    port: ready.port,
    key: ready.keys.root,
    memory: async () => {
      child.send('memory');
      const [answer] = (await once(child, 'message')) as [{ rss: number; peak: number }];
      return answer;
    },
    stop: async () => {
      const exited = once(child, 'exit');
      child.disconnect();
      await exited;
    },
  };
  await publicBucket(server);
  return server;
}

async function* content(size: number): AsyncGenerator<Buffer> {
  const block = Buffer.alloc(MIB, 'the same mebibyte again ');
  for (let sent = 0; sent < size; sent += block.length) yield block;
}

/** A bucket that anybody may write to, made by the first version of the OSS signature. */
async function publicBucket(server: Server): Promise<void> {
  const headers = { date: new Date().toUTCString(), 'x-oss-acl': 'public-read-write' };
  const text = `PUT\n\n\n${headers.date}\nx-oss-acl:public-read-write\n/public/`;
  const signature = createHmac('sha1', server.key.secret).update(text).digest('base64');
  const authorization = `OSS ${server.key.id}:${signature}`;
  const outgoing = request({
    port: server.port,
    path: '/public',
    method: 'PUT',
    headers: { ...headers, authorization },
  });
  const [answer] = await once(outgoing.end(), 'response');
  answer.resume();
  assert.equal(answer.statusCode, 200);
}

async function put(port: number, path: string, size: number): Promise<number> {
  const outgoing = request({ port, path, method: 'PUT', headers: { 'content-length': size } });
  const answered = once(outgoing, 'response');
  await pipeline(Readable.from(content(size)), outgoing);
  const [answer] = await answered;
  answer.resume();
  return answer.statusCode;
}

test('a large object passes through in constant memory, up and down, also to a client that stops reading', {
  timeout: 60_000,
}, async (t) => {
  const server = await startServer(await temporaryFolder(t));
  t.after(() => server.stop());
  // What the first requests load for good is not growth.
  assert.equal(await put(server.port, '/public/warm', 16 * MIB), 200);
  const { rss: before } = await server.memory();

  assert.equal(await put(server.port, '/public/large', SIZE), 200);
  const afterPut = await server.memory();
  assert.ok(afterPut.peak - before < ALLOWED_GROWTH, `up: ${(afterPut.peak - before) / MIB} MiB`);

  const stalled = request({ port: server.port, path: '/public/large' }).end();
  const [held] = await once(stalled, 'response');
  held.pause();
  const [answer] = await once(request({ port: server.port, path: '/public/large' }).end(), 'response');
  const hash = createHash('md5');
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    hash.update(chunk);
    size += chunk.length;
  }
  assert.equal(size, SIZE);
  assert.equal(`"${hash.digest('hex')}"`, answer.headers.etag);
  const afterGet = await server.memory();
  assert.ok(afterGet.peak - before < ALLOWED_GROWTH, `down: ${(afterGet.peak - before) / MIB} MiB`);
  stalled.destroy();
});

test('an upload that its client abandons leaves nothing', { timeout: 30_000 }, async (t) => {
  const dir = await temporaryFolder(t);
  const server = await startServer(dir);
  t.after(() => server.stop());
  const outgoing = request({
    port: server.port,
    path: '/public/half',
    method: 'PUT',
    headers: { 'content-length': SIZE },
  });
  outgoing.on('error', () => undefined);
  outgoing.write(Buffer.alloc(4 * MIB));
  const incoming = join(dir, 'incoming');
  const sizes = async (): Promise<number[]> =>
    Promise.all(
      (await readdir(incoming)).map(
        async (name) => (await stat(join(incoming, name)).catch(() => undefined))?.size ?? 0,
      ),
    );
  await until(async () => ((await sizes())[0] ?? 0) > 0);
  outgoing.destroy();
  await until(async () => (await sizes()).length === 0);
  const [answer] = await once(request({ port: server.port, path: '/public/half' }).end(), 'response');
  answer.resume();
  assert.equal(answer.statusCode, 404);
});

/** Asks again with every turn of the event loop; the test's own timeout ends it. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}
