import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWebhookSender } from '../../../src/adapters/webhook-http/index.ts';
import { AddressPolicy } from '../../../src/adapters/webhook-http/address-policy.ts';
import { webhookSenderSuite } from '../../../src/core/ports/webhook-sender.suite.ts';

webhookSenderSuite('webhook-http', createWebhookSender);

test('addresses are judged by what they are, however they are written', () => {
  const policy = new AddressPolicy(['10.1.0.0/16', '::1', '192.168.7.7']);
  const refused = (address: string): boolean => policy.refusal(address) !== undefined;
  for (const address of ['8.8.8.8', '2001:4860:4860::8888', '10.1.2.3', '::1', '192.168.7.7', '::ffff:8.8.8.8']) {
    assert.equal(refused(address), false, address);
  }
  for (const address of [
    ...['127.0.0.1', '10.2.0.1', '172.16.0.1', '172.31.255.255', '192.168.7.8', '100.64.0.1', 'fd12::1'],
    ...['169.254.169.254', '::ffff:169.254.169.254', '::ffff:a9fe:a9fe', 'fe80::1', '0.0.0.0', '255.255.255.255'],
    ...['100.100.100.200', '64:ff9b::7f00:1', '2002:7f00:1::', 'nonsense'],
  ]) {
    assert.equal(refused(address), true, address);
  }
});

test('a network that is none is refused when the sender is made', () => {
  for (const network of ['10.0.0.0/33', 'localhost', '10.0.0.0/x', '']) {
    assert.throws(() => createWebhookSender({ allow: [network], ownPorts: () => [] }), /is no network/, network);
  }
});
