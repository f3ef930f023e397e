import assert from 'node:assert/strict';
import { plainBody } from '../../src/apps/server/plain-body.ts';
import { knownLines, plainRequest } from '../../src/apps/server/plain-request.ts';
import { canonicalQuery, canonicalUris, parseAuthorization } from '../../src/doors/wire/acs3.ts';
import { queryOf } from '../../src/doors/wire/query.ts';
import { triggerAddress } from '../../src/doors/http/trigger-address.ts';
import { checkBasic, checkBearer } from '../../src/doors/http/trigger-auth.ts';
import { parseRange } from '../../src/doors/objects/range.ts';
import type { FuzzTarget } from './target.ts';

const text = (bytes: Buffer): string => bytes.toString('latin1');
const HEX = 'ab'.repeat(32);

export const httpTargets: readonly FuzzTarget[] = [
  {
    name: 'plain-request',
    seeds: [
      'POST /2023-03-30/functions/f/invocations HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello',
      'POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
      'GET /~p/x?y=z HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n',
    ],
    words: ['Content-Length: 0\r\n', 'Transfer-Encoding: chunked\r\n', '\r\n\r\n', ';ext=1', 'HTTP/1.0'],
    run(bytes) {
      const found = plainRequest(bytes, () => true, {}, knownLines());
      if (found === undefined) return;
      // the promise that closes the door for smuggling: one length, one of each name, no bare line ends
      const { headers, rawHeaders } = found.head;
      assert.ok(headers['content-length'] === undefined || headers['transfer-encoding'] === undefined);
      assert.equal(Object.keys(headers).length, rawHeaders.length / 2);
      for (const part of rawHeaders) assert.ok(!/[\r\n\0]/.test(part));
      const body = plainBody(bytes, found.bodyAt, found.bodyLength);
      if (typeof body === 'object') assert.ok(body.end <= bytes.length && body.bytes.length <= 64 * 1024);
    },
  },
  {
    name: 'acs3-authorization',
    seeds: [`ACS3-HMAC-SHA256 Credential=abc,SignedHeaders=host;x-acs-date,Signature=${HEX}`],
    run: (bytes) => parseAuthorization(text(bytes)),
  },
  {
    name: 'query',
    seeds: ['/a?b=c&d=%20e+f&prefix=__proto__', '/a%2Fb/../c?x&y=&=z'],
    run(bytes) {
      const target = text(bytes);
      const mark = target.indexOf('?');
      canonicalQuery(mark < 0 ? target : target.slice(mark + 1));
      canonicalUris(target, true);
      assert.equal(Object.getPrototypeOf(queryOf(target)), null);
    },
  },
  {
    name: 'trigger-address',
    seeds: ['/~prefix/a/../b?c=d', 'prefix.local.fcapp.localhost:80'],
    run(bytes) {
      const given = text(bytes);
      const head = { method: 'GET', url: given, headers: { host: given }, rawHeaders: [] };
      const found = triggerAddress(head as never, { region: 'local', baseDomain: 'example.com' });
      if (found !== undefined) assert.ok(found.form !== 'path' || found.target.startsWith('/'));
    },
  },
  {
    name: 'basic-auth',
    seeds: ['Basic dXNlcjpwYXNz', 'Basic OjpA'],
    run: (bytes) => checkBasic({ kind: 'basic', users: [{ name: 'user', password: 'correct' }] }, text(bytes)),
  },
  {
    name: 'bearer-auth',
    seeds: ['Bearer abcdef', 'bearer   x'],
    run: (bytes) => checkBearer({ kind: 'bearer', tokens: ['a-token-that-nobody-finds'] } as never, text(bytes)),
  },
  {
    name: 'range',
    seeds: ['bytes=0-9', 'bytes=-5', 'bytes=5-'],
    run(bytes) {
      const span = parseRange(text(bytes), 100);
      if (typeof span === 'string') return;
      assert.ok(Object.values(span).every((edge) => Number.isSafeInteger(edge) && edge >= 0 && edge <= 100));
    },
  },
];
