// The floor under a warm call: what cannot be left out when the function runs in a process of its own and the call is signed.
// A bare node:http handler checks the signature and sends the body over a Unix socket to one of argv[3] bare node processes.
import { spawn } from 'node:child_process';
import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [, script, role, argument] = process.argv;

if (role === 'instance') {
  const server = createServer((socket) => socket.on('data', (chunk) => socket.write(chunk)));
  server.listen(argument, () => console.log('listening'));
} else {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-floor-'));
  const children = [];
  const free = [];
  for (let i = 0; i < Number(argument); i++) {
    const path = join(folder, String(i));
    const child = spawn(process.execPath, [script, 'instance', path], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const link = { socket: connect(path), answered: undefined };
    link.socket.on('data', (chunk) => link.answered(chunk));
    free.push(link);
  }
  const stop = () => {
    for (const child of children) child.kill();
    rmSync(folder, { recursive: true, force: true });
    process.exit(0);
  };
  process.on('SIGTERM', stop);
  const server = createHttpServer((req, res) => {
    const chunks = [];
    req.on('data', (chunk) => chunks.push(chunk));
    req.on('end', () => {
      const body = Buffer.concat(chunks);
      if (!isSigned(req, body)) {
        res.writeHead(403);
        res.end();
        return;
      }
      const link = free.pop();
      link.answered = (answer) => {
        free.push(link);
        res.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': answer.length });
        res.end(answer);
      };
      link.socket.write(body);
    });
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
}

/** ACS3-HMAC-SHA256 with the fixed secret `floor`, as plainly as it can be checked. */
function isSigned(req, body) {
  const [, names, signature] = /SignedHeaders=([^,]+),Signature=([0-9a-f]{64})$/.exec(req.headers.authorization) ?? [];
  if (names === undefined) return false;
  let lines = '';
  for (const name of names.split(';')) lines += `${name}:${req.headers[name]}\n`;
  const canonical = `POST\n${req.url}\n\n${lines}\n${names}\n${hash('sha256', body)}`;
  const text = `ACS3-HMAC-SHA256\n${hash('sha256', canonical)}`;
  return timingSafeEqual(createHmac('sha256', 'floor').update(text).digest(), Buffer.from(signature, 'hex'));
}
