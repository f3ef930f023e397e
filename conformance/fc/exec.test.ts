import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { ram as ramModels, ramOf } from '../access/identity-world.ts';
import { environmentOf } from '../start.ts';
import { World } from './world.ts';

let world: World;
before(async () => {
  world = await World.open();
});
after(() => world.close());

const CODE = { 'index.js': 'exports.handler = async () => "ok";', 'data.txt': 'from the package\n' };

interface Asked {
  readonly command: readonly string[];
  readonly [name: string]: string | boolean | readonly string[] | undefined;
}

/** Signed as the API is; `command` is repeated, once for each argument. */
function target(name: string, instanceId: string, query: Asked, secret?: string, keyId?: string) {
  const { command, ...others } = query;
  const encode = (text: string): string =>
    encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const pairs = [
    ...command.map((part) => ['command', part]),
    ...Object.entries(others).map(([k, v]) => [k, String(v)]),
  ];
  const text = pairs
    .map((pair, at) => ({ pair, at }))
    .toSorted((a, b) => ((a.pair[0] ?? '') < (b.pair[0] ?? '') ? -1 : a.pair[0] === b.pair[0] ? a.at - b.at : 1))
    .map(({ pair: [key, value] }) => `${key}=${encode(value ?? '')}`)
    .join('&');
  const { platform } = world;
  const path = `/2023-03-30/functions/${name}/instances/${instanceId}/exec`;
  const sha256 = (data: string): string => createHash('sha256').update(data).digest('hex');
  const headers: Record<string, string> = {
    host: new URL(platform.endpoint).host,
    'x-acs-action': 'InstanceExec',
    'x-acs-content-sha256': sha256(''),
    'x-acs-date': `${new Date().toISOString().slice(0, 19)}Z`,
    'x-acs-signature-nonce': randomBytes(32).toString('hex'),
    'x-acs-version': '2023-03-30',
  };
  const names = Object.keys(headers).sort();
  const lines = names.map((each) => `${each}:${headers[each]}\n`).join('');
  const canonical = ['GET', path, text, lines, names.join(';'), sha256('')].join('\n');
  const signature = createHmac('sha256', secret ?? platform.accessKeySecret)
    .update(`ACS3-HMAC-SHA256\n${sha256(canonical)}`)
    .digest('hex');
  headers['authorization'] =
    `ACS3-HMAC-SHA256 Credential=${keyId ?? platform.accessKeyId},SignedHeaders=${names.join(';')},Signature=${signature}`;
  return { url: `${platform.endpoint.replace('http', 'ws')}${path}?${text}`, headers };
}

/** A client as the field's tools are, which collects what comes. */
class Session {
  readonly socket: WebSocket;
  readonly out = { 1: '', 2: '' };
  readonly controls: unknown[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  private readonly looking = new Set<() => void>();

  constructor(name: string, instanceId: string, query: Asked, protocol?: string) {
    const { url, headers } = target(name, instanceId, query);
    this.socket = new WebSocket(url, protocol === undefined ? [] : [protocol], { headers });
    this.socket.on('message', (data: Buffer, isBinary) => {
      if (!isBinary) this.controls.push(JSON.parse(data.toString()));
      else if (data[0] === 1 || data[0] === 2) this.out[data[0]] += data.subarray(1).toString();
      for (const look of this.looking) look();
    });
    this.closed = new Promise((resolve, reject) => {
      this.socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
      this.socket.on('error', reject);
    });
  }

  until(pattern: RegExp | number): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (typeof pattern === 'number' ? this.out[1].length < pattern : !pattern.test(this.out[1])) return;
        this.looking.delete(look);
        resolve();
      };
      this.looking.add(look);
      look();
    });
  }
}

async function refused(name: string, instanceId: string, query: Asked, secret?: string, keyId?: string) {
  const { url, headers } = target(name, instanceId, query, secret, keyId);
  const socket = new WebSocket(url, { headers });
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    socket.on('unexpected-response', (_request, response) => resolve(response));
    socket.on('open', () => reject(new Error('it was opened')));
  });
  let text = '';
  for await (const chunk of answer) text += String(chunk);
  return { status: answer.statusCode, body: JSON.parse(text) as { Code: string; ErrorMessage: string } };
}

async function instanceOf(name: string): Promise<string> {
  return (await world.invoke(name)).headers['x-fc-instance-id'] ?? '';
}

/** Processes of this machine whose command line has this text. */
function withText(text: string): number {
  return readdirSync('/proc').filter((entry) => {
    try {
      return /^\d+$/.test(entry) && readFileSync(`/proc/${entry}/cmdline`, 'latin1').split('\0').includes(text);
    } catch {
      return false;
    }
  }).length;
}

async function gone(text: string): Promise<void> {
  while (withText(text) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
}

test('a command sees the package and has the rights of the function; streams and exit code come back', {
  timeout: 60_000,
}, async () => {
  const name = await world.deploy('exec', CODE, { environmentVariables: { OWN: 'mine' } });
  const id = await instanceOf(name);
  const script =
    'cat data.txt; echo $OWN; id -u; grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status; echo bad >&2; exit 7';
  const session = new Session(
    name,
    id,
    { command: ['sh', '-c', script], stdout: true, stderr: true },
    'tidemill.exec.v1',
  );
  const { code, reason } = await session.closed;
  assert.deepEqual([code, reason, session.controls], [1000, 'exit code 7', [{ exitCode: 7 }]]);
  assert.match(session.out[1], /^from the package\nmine\n1000\n/);
  assert.match(session.out[1], /CapEff:\s+0+\nNoNewPrivs:\s+1\nSeccomp:\s+2\n$/);
  assert.equal(session.out[2], 'bad\n');
  const fact = await world.waitFor(name, (each) => each.type === 'exec-opened');
  assert.deepEqual(fact['command'], ['sh', '-c', script]);
  assert.equal((await world.invoke(name)).text, 'ok', 'the function runs on');
});

test('input is passed on, a frozen instance runs while a session is open, and calls are answered', {
  timeout: 60_000,
}, async () => {
  const name = await world.deploy('exec-input', CODE);
  const id = await instanceOf(name);
  const session = new Session(name, id, { command: ['cat'], stdin: true, stdout: true });
  session.socket.on('open', () => session.socket.send(Buffer.from('one\n')));
  await session.until(/^one\n$/);
  // longer than an idle instance takes to be frozen
  assert.equal((await world.invoke(name)).headers['x-fc-instance-id'], id);
  await new Promise((resolve) => setTimeout(resolve, 400));
  const much = 'x'.repeat(600_000);
  session.socket.send(Buffer.from(much));
  await session.until(4 + much.length);
  assert.equal(session.out[1], `one\n${much}`);
  session.socket.close();
  await session.closed;
  assert.equal((await world.invoke(name)).headers['x-fc-instance-id'], id);
});

test('a terminal has its size, is resized, and what it runs ends with the connection', {
  timeout: 60_000,
}, async () => {
  const name = await world.deploy('exec-tty', CODE);
  const id = await instanceOf(name);
  const seconds = String(10_000_000 + process.pid);
  const session = new Session(
    name,
    id,
    { command: ['sh'], stdin: true, stdout: true, tty: true, columns: '91', rows: '33' },
    'tidemill.exec.v1',
  );
  session.socket.on('open', () => session.socket.send(Buffer.from('tty; stty size\n')));
  await session.until(/\/dev\/(pts\/\d+|console)\r\n33 91\r\n/);
  session.socket.send(JSON.stringify({ resize: { columns: 120, rows: 40 } }));
  session.socket.send(Buffer.from('sleep 0.3; stty size\n'));
  await session.until(/40 120\r\n/);
  session.socket.send(Buffer.from(`setsid sleep ${seconds} & echo star''ted\n`));
  await session.until(/started/);
  session.socket.terminate();
  await gone(seconds);
  assert.equal((await world.invoke(name)).text, 'ok');
});

test('what is wrong is refused with the reason, before anything runs', { timeout: 60_000 }, async () => {
  const name = await world.deploy('exec-refused', CODE);
  const id = await instanceOf(name);
  const wrong = await refused(name, id, { command: ['true'] }, 'not the secret');
  assert.deepEqual([wrong.status, wrong.body.Code], [403, 'SignatureNotMatch']);
  for (const [instance, query] of [
    ['c-none', { command: ['true'] }],
    [id, { command: [] }],
    [id, { command: ['true'], tty: 'maybe' }],
    [id, { command: ['true'], user: 'root' }],
  ] as const) {
    const { status, body } = await refused(name, instance, query);
    assert.deepEqual([status, body.Code], [400, 'InvalidArgument']);
    assert.ok(body.ErrorMessage.length > 0);
  }
  const ram = ramOf(world.platform);
  const userName = world.name('exec-user');
  await ram.createUser(new ramModels.CreateUserRequest({ userName }));
  const made = await ram.createAccessKey(
    new ramModels.CreateAccessKeyRequest({ userPrincipalName: userName, userName }),
  );
  const { accessKeyId = '', accessKeySecret = '' } = made.body?.accessKey ?? {};
  const denied = await refused(name, id, { command: ['true'] }, accessKeySecret, accessKeyId);
  assert.deepEqual([denied.status, denied.body.Code], [403, 'AccessDenied']);
  assert.match(denied.body.ErrorMessage, /fc:InstanceExec.*:functions\/exec-refused[^/]*\/instances\//s);
  await ram.deleteAccessKey(new ramModels.DeleteAccessKeyRequest({ userName, userAccessKeyId: accessKeyId }));
  await ram.deleteUser(new ramModels.DeleteUserRequest({ userName }));
  const session = new Session(name, id, { command: ['no-such-program'], stderr: true });
  assert.notEqual((await session.closed).reason, 'exit code 0');
});

test('an instance has at most 8 sessions; one that ends makes room', { timeout: 60_000 }, async () => {
  const name = await world.deploy('exec-many', CODE);
  const id = await instanceOf(name);
  const sessions = Array.from({ length: 8 }, () => new Session(name, id, { command: ['cat'], stdin: true }));
  await Promise.all(sessions.map(({ socket }) => new Promise((resolve) => socket.once('open', resolve))));
  const ninth = await refused(name, id, { command: ['true'] });
  assert.deepEqual([ninth.status, ninth.body.Code], [429, 'ResourceExhausted']);
  for (const { socket } of sessions.slice(1)) socket.close();
  await Promise.all(sessions.slice(1).map(({ closed }) => closed));
  let again = new Session(name, id, { command: ['sh', '-c', 'exit 4'] });
  // The process is gone a moment after the connection is.
  for (;;) {
    const end = await again.closed.catch(() => undefined);
    if (end !== undefined) {
      assert.equal(end.reason, 'exit code 4');
      break;
    }
    again = new Session(name, id, { command: ['sh', '-c', 'exit 4'] });
  }
  const big = sessions[0];
  big?.socket.send(Buffer.alloc(1024 * 1024 + 1));
  assert.equal((await big?.closed)?.code, 1009, 'a message that is too long ends its session');
});

test('a session in which nothing moves is cut after the time that the client asks for', {
  timeout: 60_000,
}, async () => {
  const name = await world.deploy('exec-idle', CODE);
  const instanceId = await instanceOf(name);
  const idle = new Session(name, instanceId, { command: ['sleep', '60'], FC_INSTANCE_EXEC_TIMEOUT: '1' });
  const { code, reason } = await idle.closed;
  assert.deepEqual([code, reason], [1001, 'nothing has moved for 1 s']);
  const moving = new Session(name, instanceId, {
    command: ['sh', '-c', 'for i in 1 2 3 4 5 6; do echo $i; sleep 0.4; done'],
    FC_INSTANCE_EXEC_TIMEOUT: '1',
  });
  assert.equal((await moving.closed).code, 1000);
  assert.equal(moving.out[1], '1\n2\n3\n4\n5\n6\n');
});

test('an instance that is removed takes its sessions along', { timeout: 60_000 }, async () => {
  const name = await world.deploy('exec-removed', CODE);
  const id = await instanceOf(name);
  const session = new Session(name, id, { command: ['sh', '-c', 'echo up; cat'], stdin: true });
  await session.until(/up/);
  await world.client.deleteFunction(name);
  assert.ok([1000, 1011].includes((await session.closed).code));
});

test('from the command line: input, both outputs, and the exit code of the command', { timeout: 60_000 }, async () => {
  const name = await world.deploy('exec-cli', CODE);
  const program = join(import.meta.dirname, '..', '..', 'bin', 'tidemill.mjs');
  const run = (args: readonly string[], input: string) =>
    new Promise<{ code: number | null; out: string; err: string }>((resolve, reject) => {
      const env = { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', ...environmentOf(world.platform) };
      const child = spawn(process.execPath, [program, ...args], { env });
      let out = '';
      let err = '';
      child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
      child.on('error', reject);
      child.on('close', (code) => resolve({ code, out, err }));
      child.stdin.end(input);
    });
  const none = await run(['exec', name, '--', 'true'], '');
  assert.equal(none.code, 1);
  assert.match(none.err, /has no instance now/);
  await instanceOf(name);
  const script = 'cat; cat data.txt; echo "$1" >&2; exit 9';
  const all = await run(['exec', name, '--', 'sh', '-c', script, 'x', 'a b & c=d'], 'typed\n');
  assert.deepEqual(all, { code: 9, out: 'typed\nfrom the package\n', err: 'a b & c=d\n' });
  const wrong = await run(['exec', name, '--instance', 'c-none', '--', 'true'], '');
  assert.equal(wrong.code, 1);
  assert.match(wrong.err, /no running instance c-none/);
});
