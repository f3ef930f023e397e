import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { functionPrincipal, rootPrincipal } from '../../../src/core/domain/credentials.ts';
import type { AccessService } from '../../../src/services/access/create-access.ts';
import type { TestClock } from '../control/memory-world.ts';
import { ACCOUNT, AccessWorld, FUNCTION_ARN as ARN, HOUR } from './access-world.ts';

interface Made {
  readonly identity: AccessService['identity'];
  readonly clock: TestClock;
  readonly another: (secret?: string) => Promise<AccessService['identity']>;
}

async function make(): Promise<Made> {
  const world = new AccessWorld();
  const { identity } = await world.open();
  const another = async (secret = 'm'.repeat(32)): Promise<AccessService['identity']> =>
    (await world.open({ masterSecret: Buffer.from(secret) })).identity;
  return { identity, clock: world.clock, another };
}

describe('identity', () => {
  it('knows the root key, which has no token', async () => {
    const { identity } = await make();
    assert.deepEqual(identity.findKey('AK', undefined), {
      secret: 'SK',
      principal: rootPrincipal(ACCOUNT),
    });
    assert.deepEqual(identity.findKey('AK', ''), identity.findKey('AK', undefined));
    assert.equal(identity.findKey('AK', 'x'), undefined);
    assert.equal(identity.findKey('AKX', undefined), undefined);
  });

  it('knows the credentials it gave, also on another server and after a restart', async () => {
    const { identity, another } = await make();
    const given = identity.credentialsFor(ACCOUNT, ARN);
    assert.match(given.accessKeyId, /^STS\./);
    for (const server of [identity, await another()]) {
      assert.deepEqual(server.findKey(given.accessKeyId, given.securityToken), {
        secret: given.accessKeySecret,
        principal: functionPrincipal(ACCOUNT, ARN),
      });
    }
    assert.equal((await another('n'.repeat(32))).findKey(given.accessKeyId, given.securityToken), undefined);
  });

  it('gives the same ones until less than a third of their life is left', async () => {
    const { identity, clock } = await make();
    const given = identity.credentialsFor(ACCOUNT, ARN);
    assert.equal(given.expiresAt, clock.wall + HOUR);
    assert.notEqual(identity.credentialsFor(ACCOUNT, `${ARN}2`).accessKeyId, given.accessKeyId);
    clock.wall += HOUR * (2 / 3);
    assert.equal(identity.credentialsFor(ACCOUNT, ARN), given);
    clock.wall += 1;
    const renewed = identity.credentialsFor(ACCOUNT, ARN);
    assert.notEqual(renewed.accessKeyId, given.accessKeyId);
    assert.ok(identity.findKey(given.accessKeyId, given.securityToken));
    clock.wall = given.expiresAt;
    assert.equal(identity.findKey(given.accessKeyId, given.securityToken), undefined);
    assert.ok(identity.findKey(renewed.accessKeyId, renewed.securityToken));
  });

  it('refuses tokens that were changed, swapped or are long', async () => {
    const { identity } = await make();
    const given = identity.credentialsFor(ACCOUNT, ARN);
    const other = identity.credentialsFor(ACCOUNT, `${ARN}2`);
    assert.equal(identity.findKey(given.accessKeyId, other.securityToken), undefined);
    assert.equal(identity.findKey(given.accessKeyId, undefined), undefined);
    assert.equal(identity.findKey(given.accessKeyId, 'x'.repeat(100_000)), undefined);
    // Right answer first, so that the cache is warm and must not be fooled.
    assert.ok(identity.findKey(given.accessKeyId, given.securityToken));
    const token = given.securityToken;
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.constantFrom('A', 'b', '.', '-'), (index, letter) => {
        const changed = token.slice(0, index) + letter + token.slice(index + 1);
        const found = identity.findKey(given.accessKeyId, changed);
        assert.equal(found === undefined, changed !== token);
      }),
    );
  });

  it('refuses a weak master secret', async () => {
    const { another } = await make();
    await assert.rejects(another('short'), /master secret/);
  });
});
