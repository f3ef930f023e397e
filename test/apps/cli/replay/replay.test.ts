import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import yazl from 'yazl';
import { invokeFrames } from '../../../../src/apps/cli/replay/conversation.ts';
import { runnerOf } from '../../../../src/apps/cli/replay/runner.ts';
import { unpack } from '../../../../src/apps/cli/replay/unpack.ts';
import { FrameDecoder } from '../../../../src/core/protocol/frame-codec.ts';
import { CHUNK_BYTES, FRAME } from '../../../../src/core/protocol/runtime-frames.ts';

test('a payload of any length arrives whole', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 3 * CHUNK_BYTES }), (length) => {
      const payload = Buffer.alloc(length, 7);
      let total = 0;
      let announced: number | undefined;
      let ended = false;
      const decoder = new FrameDecoder((type, _stream, frame) => {
        if (type === FRAME.requestChunk) {
          ended = frame.length === 0;
          total += frame.length;
          return;
        }
        const head = frame.readUInt16LE(0);
        announced = (JSON.parse(frame.subarray(2, 2 + head).toString()) as { more?: number }).more;
        total += frame.length - 2 - head;
      });
      for (const frame of invokeFrames({ r: '1', e: 1, q: 'LATEST', n: 0, d: 0 }, payload)) decoder.push(frame);
      assert.equal(total, length);
      assert.equal(announced, length > CHUNK_BYTES ? length : undefined);
      assert.equal(ended, length > CHUNK_BYTES);
    }),
    { numRuns: 30 },
  );
});

test('layers unpack over one another and the first wins; a link may not lead out', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'replay-'));
  try {
    await unpack(await zip({ 'a/b.txt': 'first' }), join(folder, 'opt'));
    await unpack(await zip({ 'a/b.txt': 'second', 'a/c.txt': 'more' }), join(folder, 'opt'));
    assert.equal(await readFile(join(folder, 'opt/a/b.txt'), 'utf8'), 'first');
    assert.equal(await readFile(join(folder, 'opt/a/c.txt'), 'utf8'), 'more');
    await assert.rejects(unpack(await zip({ l: '/etc/passwd' }, 0o120777), join(folder, 'bad')), /absolute path/);
    assert.deepEqual(await readdir(join(folder, 'bad')), []);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('a missing Node.js is said, a custom runtime refused by name, a debugger asked for', () => {
  const missing = runnerOf('nodejs20', false, '/nowhere');
  assert.equal(missing.args[0], process.execPath);
  assert.match(missing.note ?? '', /Node\.js 20 is not set up here/);
  assert.ok(runnerOf('nodejs24', true).args.includes('--inspect-brk=127.0.0.1:0'));
  assert.match(runnerOf('python3.12', true).args.at(-1) ?? '', /debug\.py$/);
  assert.throws(() => runnerOf('custom.debian12', false), /custom\.debian12 cannot be replayed here/);
});

test('pdb stops at the first line of a Python handler', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'replay-'));
  try {
    await writeFile(join(folder, 'index.py'), 'def handler(event, context):\n  return 1\n');
    const program = `
import sys
sys.argv = ['debug.py']
sys.path[:0] = [${JSON.stringify(join(import.meta.dirname, '../../../../runtimes/python'))}, ${JSON.stringify(folder)}]
import debug
print('answer', debug._debugged(debug.runtime.load_handler)('index.handler')(b'', None))
`;
    const child = spawn('/usr/bin/python3', ['-B', '-c', program], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end('continue\n');
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await new Promise((resolve) => child.once('close', resolve));
    assert.match(text, /index\.py\(2\)handler\(\)\n-> return 1\n/);
    assert.match(text, /answer 1/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

async function zip(files: Readonly<Record<string, string>>, mode = 0o100644): Promise<Buffer> {
  const archive = new yazl.ZipFile();
  for (const [name, text] of Object.entries(files)) archive.addBuffer(Buffer.from(text), name, { mode });
  archive.end();
  const chunks: Buffer[] = [];
  for await (const chunk of archive.outputStream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
