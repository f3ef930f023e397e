import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { connect as connectPlainly } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { systemClock } from '../../../src/adapters/clock-system/index.ts';
import { openListenSocket } from '../../../src/adapters/listen-socket/index.ts';
import { readTlsFiles, type TlsIdentity } from '../../../src/adapters/tls-files/index.ts';
import { type HttpListener, listenOn } from '../../../src/apps/server/http-listener.ts';
import { makeCertificate } from '../../../conformance/tls/certificates.ts';

let folder: string;
let first: TlsIdentity;
let second: TlsIdentity;
let listener: HttpListener;
let release: () => void;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tidemill-tls-'));
  const made = (name: string): TlsIdentity => readTlsFiles(makeCertificate(folder, name, ['IP:127.0.0.1']), Date.now());
  first = made('first');
  second = made('second');
  const socket = await openListenSocket('127.0.0.1', 0);
  release = () => socket.dispose();
  listener = await listenOn({
    descriptor: socket.descriptor,
    handle: (req, res) => {
      req.resume();
      req.on('end', () => res.end('native'));
    },
    plain: {
      taken: (method, target) => method === 'POST' && target === '/plain',
      handle: (exchange) => exchange.send(200, [], exchange.body(1_000, undefined) as Buffer),
    },
    newId: () => 'id',
    clock: systemClock,
    tls: first,
  });
});
after(async () => {
  await listener.drain(0);
  release();
  rmSync(folder, { recursive: true, force: true });
});

async function dial(ca: string, options: object = {}): Promise<TLSSocket> {
  const socket = connect({ port: listener.port, host: '127.0.0.1', ca, ...options });
  await once(socket, 'secureConnect');
  return socket;
}

function post(path: string, body: string, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ port: listener.port, host: '127.0.0.1', method: 'POST', path, agent }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      answer.on('end', () => resolve(text));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

test('calls in plain form and all others are answered over one connection', async () => {
  const agent = new Agent({ ca: first.cert, keepAlive: true, maxSockets: 1 });
  assert.equal(await post('/plain', 'fast', agent), 'fast');
  assert.equal(await post('/other', 'slow', agent), 'native');
  assert.equal(await post('/plain', 'again', agent), 'native', 'a connection that was handed over stays there');
  agent.destroy();
});

test('what speaks no TLS, or too old a one, gets nothing', async () => {
  const socket = connectPlainly(listener.port, '127.0.0.1');
  let heard = '';
  socket.on('data', (chunk) => (heard += chunk.toString('latin1')));
  socket.write('POST /plain HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n');
  await once(socket, 'close');
  assert.doesNotMatch(heard, /HTTP/);
  await assert.rejects(dial(first.cert, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }));
});

test('a renewed certificate is given to new connections, and those that are open live on', async () => {
  const agent = new Agent({ ca: first.cert, keepAlive: true, maxSockets: 1 });
  assert.equal(await post('/plain', 'before', agent), 'before');
  listener.renew(second);
  assert.equal(await post('/plain', 'after', agent), 'after');
  agent.destroy();
  await assert.rejects(dial(first.cert), /self-signed|unable to verify/);
  const socket = await dial(second.cert);
  assert.equal(
    socket.getPeerX509Certificate()?.toString().trim(),
    readFileSync(join(folder, 'second.pem'), 'utf8').trim(),
  );
  socket.destroy();
});
