import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import type { WebhookSource } from '../../../src/core/domain/trigger.ts';
import { checkSignature } from '../../../src/services/events/webhook-signature.ts';

const NOW = Date.parse('2026-03-01T12:00:00Z');

function check(
  source: Pick<WebhookSource, 'provider' | 'secret'>,
  headers: Readonly<Record<string, string>>,
  body: string,
): string {
  try {
    const full: WebhookSource = { kind: 'webhook', events: [], ...source };
    checkSignature(full, (name) => headers[name], Buffer.from(body), NOW);
    return 'ok';
  } catch (error) {
    assert.ok(error instanceof TidemillError);
    assert.deepEqual([error.code, error.status], ['InvalidWebhookSignature', 401]);
    assert.ok(!error.message.includes(source.secret), 'an answer never has the secret in it');
    return error.message;
  }
}

test("GitHub: the example of GitHub's own documentation, and what differs from it", () => {
  const source = { provider: 'GitHub', secret: "It's a Secret to Everybody" } as const;
  const right = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';
  assert.equal(check(source, { 'x-hub-signature-256': right }, 'Hello, World!'), 'ok');
  assert.match(check(source, { 'x-hub-signature-256': right }, 'Hello, World?'), /does not fit/);
  assert.match(check(source, { 'x-hub-signature-256': right.slice(0, -1) }, 'Hello, World!'), /does not fit/);
  assert.match(check(source, { 'x-hub-signature-256': '' }, 'Hello, World!'), /does not fit/);
  assert.match(
    check({ ...source, secret: 'other' }, { 'x-hub-signature-256': right }, 'Hello, World!'),
    /does not fit/,
  );
  assert.match(check(source, { 'x-hub-signature': 'sha1=01dc' }, 'Hello, World!'), /x-hub-signature-256 is missing/);
});

test('GitLab: the secret token', () => {
  const source = { provider: 'GitLab', secret: 'token-1234' } as const;
  assert.equal(check(source, { 'x-gitlab-token': 'token-1234' }, '{}'), 'ok');
  assert.match(check(source, { 'x-gitlab-token': 'token-12345' }, '{}'), /is not the secret token/);
  assert.match(check(source, {}, '{}'), /x-gitlab-token is missing/);
});

test('GitLab: the signing token, one signature of several, in time only', () => {
  const key = Buffer.alloc(32, 7);
  const source = { provider: 'GitLab', secret: `whsec_${key.toString('base64')}` } as const;
  const headers = (seconds: number, body = '{"a":1}'): Record<string, string> => {
    const mac = createHmac('sha256', key).update(`msg-1.${seconds}.${body}`).digest('base64');
    return { 'webhook-id': 'msg-1', 'webhook-timestamp': String(seconds), 'webhook-signature': `v1,AAAA v1,${mac}` };
  };
  const now = NOW / 1000;
  assert.equal(check(source, headers(now), '{"a":1}'), 'ok');
  assert.equal(check(source, headers(now - 299), '{"a":1}'), 'ok');
  assert.match(check(source, headers(now - 301), '{"a":1}'), /webhook-timestamp/);
  assert.match(check(source, headers(now + 301), '{"a":1}'), /webhook-timestamp/);
  assert.match(check(source, headers(now), '{"a":2}'), /does not fit/);
  assert.match(check(source, { ...headers(now), 'webhook-id': 'msg-2' }, '{"a":1}'), /does not fit/);
  // the plain token of a trigger that has a signing token is not taken instead
  assert.match(check(source, { 'x-gitlab-token': source.secret }, '{"a":1}'), /webhook-id is missing/);
});
