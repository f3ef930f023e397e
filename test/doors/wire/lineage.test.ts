import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { functionPrincipal, type Principal } from '../../../src/core/domain/credentials.ts';
import type { CausingInvocation } from '../../../src/core/domain/lineage.ts';
import { causedBy, lineageOf } from '../../../src/doors/wire/lineage.ts';

const FUNCTION = functionPrincipal('1', 'acs:fc:local:1:functions/f');
const CALLER: CausingInvocation = {
  functionName: 'f',
  requestId: 'r7',
  lineage: { hops: 2, rootRequestId: 'r0', cause: 'object', chain: [] },
};

/** Knows one instance by its address, and its function by what it signs with. */
const callers = {
  callerOf: (address: string | undefined, principal: Principal | undefined) =>
    address === '10.0.0.5' || principal?.kind === 'function' ? CALLER : undefined,
};

function from(remoteAddress: string, headers: Record<string, string> = {}): IncomingMessage {
  return { headers, socket: { remoteAddress } } as unknown as IncomingMessage;
}

const CHAIN = [{ functionName: 'f', requestId: 'r7', cause: 'object' }];

test('a request from outside begins a chain', () => {
  assert.equal(causedBy(callers, from('127.0.0.1'), undefined, 'r9', 'call'), undefined);
  assert.deepEqual(lineageOf(callers, from('127.0.0.1'), undefined, 'r9', 'call'), { hops: 0, rootRequestId: 'r9' });
});

test('a request of an instance goes on with its chain, known by address or by what it signs with', () => {
  const expected = { hops: 3, rootRequestId: 'r0', cause: 'http', chain: CHAIN };
  assert.deepEqual(causedBy(callers, from('10.0.0.5'), undefined, 'r9', 'http'), expected);
  assert.deepEqual(causedBy(callers, from('127.0.0.1'), FUNCTION, 'r9', 'http'), expected);
});

test('the header only ever adds hops, and names no first request', () => {
  const hops = (address: string, text: string) =>
    causedBy(callers, from(address, { 'x-tidemill-hops': text }), undefined, 'r9', 'call');
  assert.deepEqual(hops('127.0.0.1', '5'), { hops: 5, rootRequestId: 'r9', cause: 'call' });
  assert.deepEqual(hops('10.0.0.5', '9'), { hops: 9, rootRequestId: 'r0', cause: 'call', chain: CHAIN });
  assert.equal(hops('10.0.0.5', '1')?.hops, 3);
  assert.equal(hops('127.0.0.1', '9999999')?.hops, 1_000_000);
  for (const nonsense of ['', '0', '-1', '1e9', '99999999', 'x', '3, 4']) {
    assert.equal(hops('127.0.0.1', nonsense), undefined, nonsense);
    assert.equal(hops('10.0.0.5', nonsense)?.hops, 3, nonsense);
  }
});
