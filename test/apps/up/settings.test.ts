import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { checkTuning, readUpSettings, UsageError } from '../../../src/apps/up/settings.ts';

function refused(action: () => unknown, says: RegExp): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof UsageError, String(error));
    assert.match(error.message, says);
    return true;
  });
}

test('every option is read', () => {
  const args = ['--data', 'd', '--port', '80', '--objects-port', '90', '--host', '::1', '--region', 'cn-x'];
  assert.deepEqual(readUpSettings([...args, '--domain', 'fn.example.com', '--isolation', 'gvisor', '--json']), {
    data: 'd',
    port: 80,
    objectsPort: 90,
    host: '::1',
    region: 'cn-x',
    domain: 'fn.example.com',
    isolation: 'gvisor',
    masterKey: undefined,
    tls: undefined,
    json: true,
  });
  assert.equal(readUpSettings([]).region, undefined);
  assert.equal(readUpSettings(['--port', '7000']).objectsPort, 7001);
  assert.equal(readUpSettings(['--port', '0']).objectsPort, 0);
});

test('a certificate and its key belong together', () => {
  const { tls } = readUpSettings(['--tls-cert', '/etc/a.pem', '--tls-key', 'b.key']);
  assert.deepEqual(tls, { certificate: '/etc/a.pem', key: resolve('b.key') });
  refused(() => readUpSettings(['--tls-cert', 'a']), /--tls-cert and --tls-key belong together/);
  refused(() => readUpSettings(['--tls-key', 'a']), /belong together/);
});

test('what cannot be meant is refused by name', () => {
  refused(() => readUpSettings(['--port', 'http']), /--port http/);
  refused(() => readUpSettings(['--objects-port', '70000']), /--objects-port 70000/);
  refused(() => readUpSettings(['--isolation', 'hope']), /--isolation hope/);
  refused(() => readUpSettings(['--region', 'Here']), /--region Here/);
  refused(() => readUpSettings(['--domain', 'https://fn.example.com']), /--domain https/);
  assert.throws(() => readUpSettings(['--colour', 'red']), /colour/);
});

test('tuning that no process reads does not pass for a setting', () => {
  checkTuning(undefined);
  checkTuning('');
  checkTuning('{"agent":{},"scheduler":{}}');
  refused(() => checkTuning('{"agnet":{}}'), /"agnet".*agent, loops, .*scheduler/);
  refused(() => checkTuning('[]'), /JSON object/);
  refused(() => checkTuning('{'), /no JSON/);
});
