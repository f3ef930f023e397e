import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { blobId } from '../../../src/core/ports/blob-store.ts';
import { crc64 } from '../../../src/core/base/crc64.ts';
import { LIMITS } from '../../../src/core/domain/limits.ts';
import { ACCOUNT, functionInput, startWorld } from './memory-world.ts';
import { refused } from './refusal.ts';
import { zipOf } from './zips.ts';

async function base64(content: string): Promise<{ zipFile: string }> {
  return { zipFile: (await zipOf({ 'index.js': content })).toString('base64') };
}

describe('functions', () => {
  it('are created, read, listed and deleted, and leave nothing behind', async () => {
    const { control, world } = await startWorld();
    const created = await control.createFunction(ACCOUNT, await functionInput('f'));
    assert.equal(created.functionArn, `acs:fc:local:${ACCOUNT}:functions/f`);
    assert.equal(created.versionId, 'LATEST');
    const zip = world.blobs.blobs.get(blobId(created.code));
    assert.equal(created.code.checksum, crc64(zip ?? Buffer.alloc(0)));
    assert.deepEqual(await control.getFunction(ACCOUNT, 'f'), created);
    assert.deepEqual(await control.functionCode(ACCOUNT, 'f'), created.code);
    assert.equal((await control.getFunction(ACCOUNT, 'f', 'LATEST')).functionArn, `${created.functionArn}/LATEST`);
    await refused(
      control.createFunction(ACCOUNT, await functionInput('f')),
      'FunctionAlreadyExists',
      /'f' already exists/,
    );
    await refused(control.getFunction('6543210987654321', 'f'), 'FunctionNotFound', /function 'f' does not exist/);
    await control.deleteFunction(ACCOUNT, 'f');
    await refused(control.getFunction(ACCOUNT, 'f'), 'FunctionNotFound', /function 'f' does not exist/);
    await refused(control.deleteFunction(ACCOUNT, 'f'), 'FunctionNotFound', /'f'/);
    assert.deepEqual(world.store.keys(''), []);
    assert.equal(world.blobs.blobs.size, 0);
  });

  it('names that cannot exist are not found, whatever they hold', async () => {
    const { control } = await startWorld();
    for (const name of ['', '../x', 'a/b', 'ä', 'x'.repeat(500), '%00']) {
      await refused(control.getFunction(ACCOUNT, name), 'FunctionNotFound', /does not exist/);
    }
  });

  it('verify a checksum, and take the right one as string or number', async () => {
    const { control } = await startWorld();
    const input = await functionInput('f');
    const { zipFile } = input.code as { zipFile: string };
    const checksum = crc64(Buffer.from(zipFile, 'base64'));
    const wrong = { ...input, code: { zipFile, checksum: '1' } };
    await refused(
      control.createFunction(ACCOUNT, wrong),
      'InvalidArgument',
      new RegExp(`^code\\.checksum is "1" .*'${checksum}'`),
    );
    await control.createFunction(ACCOUNT, { ...input, code: { zipFile, checksum } });
  });

  it('take code from a bucket, as bytes, and refuse what is too large', async () => {
    const { control, world } = await startWorld();
    const zip = await zipOf({ 'index.js': 'x' });
    world.objects.set('code/app.zip', zip);
    const code = { ossBucketName: 'code', ossObjectName: 'app.zip' };
    const fromObject = await control.createFunction(ACCOUNT, { ...(await functionInput('a')), code });
    const fromBytes = await control.createFunction(ACCOUNT, { ...(await functionInput('b')), code: { zipFile: zip } });
    assert.deepEqual(fromObject.code, fromBytes.code);
    world.claimedSize = LIMITS.objectZipBytes + 1;
    await refused(control.updateFunction(ACCOUNT, 'a', { code }), 'EntityTooLarge', /the code object has/);
    world.claimedSize = zip.length + 5;
    await refused(control.updateFunction(ACCOUNT, 'a', { code }), 'InvalidArgument', /changed while it was read/);
  });

  it('refuse an inline zip above the limit', async () => {
    const { control } = await startWorld();
    const code = { zipFile: Buffer.alloc(LIMITS.inlineZipBytes + 1) };
    const work = control.createFunction(ACCOUNT, { ...(await functionInput('a')), code });
    await refused(work, 'EntityTooLarge', /^code\.zipFile has \d+ bytes, at most/);
  });

  it('are updated in part, and a change gets a new generation', async () => {
    const { control, world } = await startWorld();
    const before = await control.createFunction(
      ACCOUNT,
      await functionInput('f', { environmentVariables: { A: '1' } }),
    );
    world.clock.wall += 1_000;
    const after = await control.updateFunction(ACCOUNT, 'f', { timeout: 30 });
    assert.deepEqual(after.config, { ...before.config, timeout: 30 });
    assert.equal(after.record.generation, before.record.generation + 1);
    assert.equal(after.lastModifiedTime, before.lastModifiedTime + 1_000);
    assert.equal(after.createdTime, before.createdTime);
    const cleared = await control.updateFunction(ACCOUNT, 'f', { environmentVariables: {}, functionName: 'f' });
    assert.deepEqual(cleared.config.environmentVariables, {});
    const same = await control.updateFunction(ACCOUNT, 'f', { timeout: 30 });
    assert.equal(same.record.generation, cleared.record.generation);
    await refused(control.updateFunction(ACCOUNT, 'f', { functionName: 'g' }), 'InvalidArgument', /cannot be changed/);
    await refused(control.updateFunction(ACCOUNT, 'f', { tags: [] }), 'NotSupported', /'tags'/);
    await refused(control.updateFunction(ACCOUNT, 'f', { handler: 'x' }), 'InvalidArgument', /^handler/);
    await refused(control.updateFunction(ACCOUNT, 'nope', { timeout: 1 }), 'FunctionNotFound', /'nope'/);
  });

  it('swap code and drop the old blob', async () => {
    const { control, world } = await startWorld();
    const before = await control.createFunction(ACCOUNT, await functionInput('f', {}, 'one'));
    const after = await control.updateFunction(ACCOUNT, 'f', { code: await base64('two') });
    assert.notEqual(after.code.digest, before.code.digest);
    assert.deepEqual([...world.blobs.blobs.keys()], [blobId(after.code)]);
    await refused(
      control.updateFunction(ACCOUNT, 'f', { code: { zipFile: 'aGVsbG8=' } }),
      'InvalidArgument',
      /not a zip/,
    );
    assert.deepEqual([...world.blobs.blobs.keys()], [blobId(after.code)]);
  });

  it('can be disabled and enabled, and say when running requests shall end', async () => {
    const { control } = await startWorld();
    await control.createFunction(ACCOUNT, await functionInput('f'));
    const aborts: unknown[] = [];
    control.onAbortRequested((request) => aborts.push(request));
    await control.disableInvocation(ACCOUNT, 'f', { reason: 'repair' });
    const { record } = await control.getFunction(ACCOUNT, 'f');
    assert.equal(record.invocationRestriction?.disable, true);
    assert.equal(record.invocationRestriction?.reason, 'repair');
    assert.deepEqual(aborts, []);
    await control.disableInvocation(ACCOUNT, 'f', { reason: 'x', abortOngoingRequest: true });
    assert.deepEqual(aborts, [{ account: ACCOUNT, functionName: 'f', reason: 'x' }]);
    await control.enableInvocation(ACCOUNT, 'f');
    assert.equal((await control.getFunction(ACCOUNT, 'f')).record.invocationRestriction, undefined);
  });
});

describe('concurrent updates', () => {
  it('of different fields are merged', async () => {
    const { control } = await startWorld();
    await control.createFunction(ACCOUNT, await functionInput('f'));
    await Promise.all([
      control.updateFunction(ACCOUNT, 'f', { timeout: 30 }),
      control.updateFunction(ACCOUNT, 'f', { description: 'd' }),
      control.updateFunction(ACCOUNT, 'f', { code: await base64('two') }),
      control.updateFunction(ACCOUNT, 'f', { environmentVariables: { A: '1' } }),
    ]);
    const { config, record } = await control.getFunction(ACCOUNT, 'f');
    assert.equal(config.timeout, 30);
    assert.equal(config.description, 'd');
    assert.deepEqual(config.environmentVariables, { A: '1' });
    assert.equal(record.generation, 5);
  });

  it('of the same field: one wins, the others hear of it', async () => {
    const { control } = await startWorld();
    await control.createFunction(ACCOUNT, await functionInput('f'));
    const outcomes = await Promise.allSettled(
      [10, 20, 30].map((timeout) => control.updateFunction(ACCOUNT, 'f', { timeout })),
    );
    const lost = outcomes.filter((outcome) => outcome.status === 'rejected');
    assert.equal(lost.length, 2);
    for (const { reason } of lost) assert.equal(reason.code, 'ConcurrentUpdateError');
  });

  it('from another server are seen at the swap', async () => {
    const { control, world } = await startWorld();
    await control.createFunction(ACCOUNT, await functionInput('f'));
    const { control: other } = await world.start();
    let meddled = 0;
    let theirs = 0;
    world.store.beforePut = async (key) => {
      if (!key.startsWith('f/') || meddled++ > 0) return;
      await other.updateFunction(ACCOUNT, 'f', { description: `theirs ${theirs++}` });
    };
    const mine = await control.updateFunction(ACCOUNT, 'f', { timeout: 9 });
    assert.equal(mine.config.description, 'theirs 0');
    assert.equal(mine.config.timeout, 9);
    meddled = 0;
    await refused(
      control.updateFunction(ACCOUNT, 'f', { description: 'mine' }),
      'ConcurrentUpdateError',
      /description of function 'f'/,
    );
  });

  it('of the same name: one create wins and its blob stays', async () => {
    const { control, world } = await startWorld();
    const inputs = await Promise.all(['one', 'two', 'three'].map((content) => functionInput('f', {}, content)));
    const outcomes = await Promise.allSettled(inputs.map((input) => control.createFunction(ACCOUNT, input)));
    assert.equal(outcomes.filter((outcome) => outcome.status === 'fulfilled').length, 1);
    const { code } = await control.getFunction(ACCOUNT, 'f');
    assert.deepEqual([...world.blobs.blobs.keys()], [blobId(code)]);
  });
});
