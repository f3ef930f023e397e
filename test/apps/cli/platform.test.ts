import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { after, before, test } from 'node:test';
import { whereIs } from '../../../src/apps/cli/commands/doctor.ts';
import { command, type Ended, startCommand } from './command.ts';

const EXAMPLES = join(import.meta.dirname, '../../../examples');
const host = await command(['doctor', '--json'], {});
const skip = host.code === 0 ? false : `this host cannot confine functions: ${host.stdout}`;

let folder: string;
let env: Record<string, string>;
let platform: ChildProcess;

before(async () => {
  if (skip !== false) return;
  folder = mkdtempSync(join(tmpdir(), 'tidemill-cli-'));
  env = { XDG_CONFIG_HOME: join(folder, 'config') };
  platform = startCommand(['up', '--data', join(folder, 'data'), '--port', '0', '--json'], env);
  platform.stderr?.resume();
  await firstLine(platform);
});

after(async () => {
  if (skip !== false) return;
  await stop(platform);
  rmSync(folder, { recursive: true });
});

function linesOf(child: ChildProcess): Interface {
  if (child.stdout === null) throw new Error('no stdout');
  return createInterface({ input: child.stdout });
}

async function firstLine(child: ChildProcess): Promise<Record<string, unknown>> {
  const [line] = (await once(linesOf(child), 'line')) as [string];
  return JSON.parse(line) as Record<string, unknown>;
}

async function stop(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  return child.exitCode;
}

async function fine(...args: string[]): Promise<string> {
  const ended: Ended = await command(args, env);
  assert.equal(ended.code, 0, `${args.join(' ')}: ${ended.stdout}${ended.stderr}`);
  return ended.stdout;
}

const answer = async <T>(...args: string[]): Promise<T> => JSON.parse(await fine(...args, '--json')) as T;

test('without settings the command line knows the platform that `up` started: deploy, call, log, delete', {
  skip,
}, async () => {
  const { functions } = await answer<{ functions: { url: string; uploaded: boolean }[] }>(
    'deploy',
    join(EXAMPLES, 'hello-node'),
  );
  const url = functions[0]?.url ?? '';
  assert.equal(await (await fetch(`${url}?name=Ada`)).text(), 'Hello, Ada, from hello-node!\n');
  assert.match(await fine('invoke', 'hello-node', '-e', '{"name":"Bob"}'), /Hello, Bob/);
  const again = await answer<{ functions: { uploaded: boolean }[] }>('deploy', join(EXAMPLES, 'hello-node'));
  assert.equal(again.functions[0]?.uploaded, false);
  assert.match(await fine('logs', 'hello-node', '--since', '1h'), /greeting Ada[\s\S]*greeting Bob/);
  await fine('versions', 'publish', 'hello-node');
  await fine('alias', 'set', 'hello-node', 'prod', '1');
  assert.match(await fine('invoke', 'hello-node', '-q', 'prod'), /Hello, world/);
  await fine('delete', 'hello-node');
  assert.deepEqual((await answer<{ functions: unknown[] }>('functions')).functions, []);
});

test('deploy --watch: a saved file is live for the next call in under a second', { skip }, async () => {
  const code = join(folder, 'watched');
  mkdirSync(code);
  const save = (text: string): void =>
    writeFileSync(join(code, 'index.js'), `exports.handler = async () => '${text}';\n`);
  save('first');
  const watcher = startCommand(['deploy', code, '--watch', '--json'], env);
  const events = linesOf(watcher)[Symbol.asyncIterator]();
  const next = async (): Promise<Record<string, unknown>> =>
    JSON.parse(String((await events.next()).value)) as Record<string, unknown>;
  assert.equal((await next())['event'], 'deployed');
  assert.equal((await next())['event'], 'watching');
  for (const text of ['second', 'third']) {
    save(text);
    const live = await next();
    assert.deepEqual([live['event'], live['files']], ['live', ['index.js']]);
    assert.ok(Number(live['ms']) < 1000, `live after ${String(live['ms'])} ms`);
    assert.equal(await fine('invoke', 'watched'), text);
  }
  writeFileSync(join(code, 'index.js'), 'not javascript(');
  await next();
  const broken = (await next())['error'] as { code: string } | undefined;
  assert.equal(broken?.code, 'LoadError');
  assert.equal(await stop(watcher), 0);
});

test('logs -f shows what comes, and ends at once when it is told to', { skip }, async () => {
  await fine('deploy', join(EXAMPLES, 'hello-node'));
  const follower = startCommand(['logs', 'hello-node', '-f', '--since', '1s', '--json'], env);
  await fine('invoke', 'hello-node', '-e', '{"name":"Follower"}');
  for await (const line of linesOf(follower)) if (line.includes('greeting Follower')) break;
  assert.equal(await stop(follower), 0);
});

test('objects go up, across, down and away, whatever their keys look like', { skip }, async () => {
  const path = join(folder, 'file.bin');
  const bytes = Buffer.alloc(3_000_000, 'tidemill ');
  writeFileSync(path, bytes);
  const key = "a b/ü+%25&'(1)*.bin";
  await fine('objects', 'mb', 'things');
  await fine('objects', 'cp', path, `tm://things/${key}`);
  await fine('objects', 'cp', `oss://things/${key}`, 'tm://things/copy/');
  const { objects } = await answer<{ objects: { key: string; size: number }[] }>('objects', 'ls', 'tm://things', '-r');
  assert.deepEqual(
    objects.map((one) => [one.key, one.size]),
    [
      [key, bytes.length],
      ["copy/ü+%25&'(1)*.bin", bytes.length],
    ],
  );
  await fine('objects', 'cp', `tm://things/${key}`, join(folder, 'back.bin'));
  assert.ok(readFileSync(join(folder, 'back.bin')).equals(bytes));
  const missing = await command(['objects', 'cp', 'tm://things/none', path], env);
  assert.deepEqual([missing.code, readFileSync(path).equals(bytes)], [1, true]);
  await fine('objects', 'rm', 'tm://things', '-r');
  assert.deepEqual((await answer<{ buckets: unknown[] }>('objects', 'ls')).buckets, []);
});

test('a bootstrap that is not executable is told before anything is sent', { skip }, async () => {
  const code = join(folder, 'custom');
  mkdirSync(code);
  writeFileSync(join(code, 'bootstrap'), '#!/bin/sh\n');
  const refused = await command(['deploy', code], env);
  assert.deepEqual([refused.code, /chmod \+x/.test(refused.stderr)], [2, true]);
  chmodSync(join(code, 'bootstrap'), 0o755);
  const ended = await command(['deploy', code], env);
  assert.equal(ended.code, 1, 'a start command that ends at once is a load error');
});

test('the quick start shows everything and stops in order', { skip, timeout: 120_000 }, async () => {
  const data = join(folder, 'quick');
  const ended = await command(['quickstart', '--data', data, '--port', '0', '--exit', '--json'], {
    XDG_CONFIG_HOME: join(folder, 'quick-config'),
  });
  assert.equal(ended.code, 0, ended.stderr);
  const told = JSON.parse(ended.stdout) as {
    firstAnswerMs: number;
    calls: { answer: string }[];
    made: { key: string; size: number }[];
    notes: string[];
  };
  assert.match(told.calls[0]?.answer ?? '', /Hello, Tidemill/);
  assert.equal(told.calls.length, 3);
  if (whereIs('ffmpeg') === undefined) assert.match(told.notes[0] ?? '', /ffmpeg is not installed/);
  else
    assert.deepEqual(
      told.made.map((one) => one.key),
      ['out/clip/360p.mp4', 'out/clip/720p.mp4', 'out/clip/poster.jpg'],
    );
});
