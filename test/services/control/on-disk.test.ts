import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { openBlobStore } from '../../../src/adapters/blobs-fs/index.ts';
import { openMetadataStore } from '../../../src/adapters/store-sqlite/index.ts';
import type { ObjectSource } from '../../../src/core/ports/object-store.ts';
import { STANDARD_QUOTAS } from '../../../src/core/domain/quota.ts';
import { createControl } from '../../../src/services/control/control.ts';
import { ACCOUNT, functionInput, RUNTIMES, TestClock, TestRandom } from './memory-world.ts';

/** Control over the adapters of the embedded platform. */
async function open(dir: string, random: TestRandom) {
  const store = await openMetadataStore({ path: join(dir, 'meta.db') });
  const service = await createControl({
    store,
    blobs: await openBlobStore({ dir: join(dir, 'blobs') }),
    // Nothing here takes code from objects.
    objects: {} as ObjectSource,
    clock: new TestClock(),
    random,
    region: 'local',
    quotas: { of: () => STANDARD_QUOTAS },
    runtimes: RUNTIMES,
  });
  return {
    ...service,
    async end() {
      service.close();
      await store.close();
    },
  };
}

async function folder(test: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'control-'));
  test.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

describe('control on disk', () => {
  it('finds everything again after a restart, and leaves nothing when all is deleted', async (test) => {
    const dir = await folder(test);
    const random = new TestRandom();
    const first = await open(dir, random);
    const { control } = first;
    await control.createFunction(ACCOUNT, await functionInput('f', { tags: [{ Key: 'k', Value: 'v' }] }));
    await control.publishVersion(ACCOUNT, 'f', { description: 'one' });
    await control.createAlias(ACCOUNT, 'f', { aliasName: 'prod', versionId: '1' });
    const triggerConfig = JSON.stringify({ authType: 'anonymous', methods: ['GET'] });
    const trigger = await control.createTrigger(ACCOUNT, 'f', { triggerName: 't', triggerType: 'http', triggerConfig });
    await control.putAsyncConfig(ACCOUNT, 'f', 'prod', { maxAsyncRetryAttempts: 1 });
    await control.putConcurrencyConfig(ACCOUNT, 'f', { reservedConcurrency: 5 });
    const before = await control.getFunction(ACCOUNT, 'f', 'prod');
    const spec = await first.catalog.spec(ACCOUNT, 'f', '1');
    await first.end();

    const second = await open(dir, random);
    assert.deepEqual(await second.control.getFunction(ACCOUNT, 'f', 'prod'), before);
    assert.deepEqual(await second.catalog.spec(ACCOUNT, 'f', '1'), spec);
    assert.ok(trigger.config.type === 'http');
    assert.deepEqual(await second.catalog.httpTrigger(trigger.config.domainPrefix), trigger);
    assert.equal((await second.control.getConcurrencyConfig(ACCOUNT, 'f')).reservedConcurrency, 5);
    assert.equal((await second.catalog.asyncConfig(ACCOUNT, 'f', 'prod'))?.maxAsyncRetryAttempts, 1);
    await second.control.deleteFunction(ACCOUNT, 'f');
    await second.end();
    const left = await readdir(join(dir, 'blobs'), { recursive: true });
    assert.deepEqual(
      left.filter((name) => /[0-9a-f]{64}/.test(name)),
      [],
    );
  });

  it('deploys many functions at once', async (test) => {
    const service = await open(await folder(test), new TestRandom());
    test.after(() => service.end());
    const names = Array.from({ length: 60 }, (_, index) => `f${String(index).padStart(2, '0')}`);
    await Promise.all(
      names.map(async (name) => service.control.createFunction(ACCOUNT, await functionInput(name, {}, name))),
    );
    const page = await service.control.listFunctions(ACCOUNT, { limit: 100 });
    assert.deepEqual(
      page.items.map((item) => item.record.name),
      names,
    );
  });
});
