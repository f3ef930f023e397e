import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readTlsFiles, type TlsIdentity, watchTlsFiles } from '../../../src/adapters/tls-files/index.ts';
import { type Made, makeCertificate } from '../../../conformance/tls/certificates.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
let folder: string;
let one: Made;
let two: Made;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemill-tls-'));
  one = makeCertificate(folder, 'one', ['DNS:fc.example.com', 'DNS:*.fn.example.com', 'IP:127.0.0.1']);
  two = makeCertificate(folder, 'two', ['DNS:two.example.com']);
});
after(() => rmSync(folder, { recursive: true, force: true }));

test('a pair that fits is read with the names it is for', () => {
  const { names, notAfter } = readTlsFiles(one, Date.now());
  assert.deepEqual(names, ['fc.example.com', '*.fn.example.com', '127.0.0.1']);
  assert.ok(notAfter > Date.now() + 29 * DAY_MS);
});

test('what does not fit is refused by the name of its file', () => {
  const now = Date.now();
  const missing = join(folder, 'none.pem');
  const junk = join(folder, 'junk.pem');
  writeFileSync(junk, 'junk');
  assert.throws(() => readTlsFiles({ ...one, certificate: missing }, now), /none\.pem: ENOENT/);
  assert.throws(() => readTlsFiles({ ...one, certificate: junk }, now), /junk\.pem holds no PEM certificate/);
  assert.throws(() => readTlsFiles({ ...one, key: junk }, now), /junk\.pem holds no PEM private key/);
  assert.throws(() => readTlsFiles({ ...one, key: two.key }, now), /two\.key is not the key of .*one\.pem/);
  assert.throws(() => readTlsFiles(one, now + 31 * DAY_MS), /ended on/);
});

test('a new pair is told of when both files fit; half of one is refused and the rest awaited', async () => {
  const files = { certificate: join(folder, 'live.pem'), key: join(folder, 'live.key') };
  copyFileSync(one.certificate, files.certificate);
  copyFileSync(one.key, files.key);
  const renewed = Promise.withResolvers<TlsIdentity>();
  const refused = Promise.withResolvers<Error>();
  const watch = watchTlsFiles(files, {
    now: Date.now,
    onChange: renewed.resolve,
    onRefused: refused.resolve,
    everyMs: 20,
  });
  copyFileSync(two.certificate, files.certificate);
  assert.match((await refused.promise).message, /is not the key of/);
  copyFileSync(two.key, files.key);
  assert.deepEqual((await renewed.promise).names, ['two.example.com']);
  watch.dispose();
});
