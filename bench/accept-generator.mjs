// Sends signed asynchronous calls over kept-alive connections, one at a time on each, and prints one JSON line with what it saw. On
// plain sockets: what an HTTP client costs would otherwise be what is measured. argv[2]: JSON {port, path, connections, requests, key}.
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { connect } from 'node:net';

const plan = JSON.parse(process.argv[2]);
const body = 'a'.repeat(300);
const bodyHash = createHash('sha256').update(body).digest('hex');
const host = `127.0.0.1:${plan.port}`;
const names = 'content-type;host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version';
const nonces = randomBytes(16).toString('hex');
let next = 0;
let failed = 0;

/** An invocation as the vendor's SDK signs it; it does not become due while this runs, so that nothing but its acceptance is measured. */
function request(number) {
  const date = `${new Date().toISOString().slice(0, 19)}Z`;
  const nonce = `${nonces}${number}`;
  const lines = `content-type:application/octet-stream\nhost:${host}\nx-acs-action:InvokeFunction\nx-acs-content-sha256:${bodyHash}\nx-acs-date:${date}\nx-acs-signature-nonce:${nonce}\nx-acs-version:2023-03-30\n`;
  const canonical = `POST\n${plan.path}\n\n${lines}\n${names}\n${bodyHash}`;
  const text = `ACS3-HMAC-SHA256\n${createHash('sha256').update(canonical).digest('hex')}`;
  const signature = createHmac('sha256', plan.key.secret).update(text).digest('hex');
  return `POST ${plan.path} HTTP/1.1\r\ncontent-type: application/octet-stream\r\nhost: ${host}\r\nx-acs-action: InvokeFunction\r\nx-acs-content-sha256: ${bodyHash}\r\nx-acs-date: ${date}\r\nx-acs-signature-nonce: ${nonce}\r\nx-acs-version: 2023-03-30\r\nx-fc-invocation-type: Async\r\nx-fc-async-delay: 3600\r\nauthorization: ACS3-HMAC-SHA256 Credential=${plan.key.id},SignedHeaders=${names},Signature=${signature}\r\ncontent-length: 300\r\n\r\n${body}`;
}

function connection() {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: plan.port, host: '127.0.0.1', noDelay: true });
    const send = () => {
      if (next < plan.requests) socket.write(request(next++));
      else socket.end();
    };
    let answer = '';
    socket.setEncoding('latin1');
    socket.on('connect', send);
    socket.on('data', (text) => {
      answer += text;
      if (!answer.includes('\r\n\r\n')) return;
      if (!answer.startsWith('HTTP/1.1 202 ') && failed++ === 0) console.error(`unexpected answer: ${answer}`);
      answer = '';
      send();
    });
    socket.on('close', resolve);
    socket.on('error', reject);
  });
}

const begin = performance.now();
await Promise.all(Array.from({ length: plan.connections }, connection));
console.log(JSON.stringify({ wallMs: performance.now() - begin, failed }));
