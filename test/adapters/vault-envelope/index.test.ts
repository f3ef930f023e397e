import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { openMasterKeyFile, rotateMasterKeyFile } from '../../../src/adapters/master-key-file/index.ts';
import { type EnvelopeVault, openEnvelopeVault } from '../../../src/adapters/vault-envelope/index.ts';
import type { MasterKey } from '../../../src/core/ports/master-key.ts';
import { vaultSuite } from '../../../src/core/ports/vault.suite.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const TEXT = Buffer.from('text');

interface World {
  readonly folder: string;
  readonly path: string;
  master(): MasterKey;
  open(onRewrapped?: (accounts: number) => void): Promise<EnvelopeVault>;
  /** What went wrong with wrapping anew; tests that expect nothing look that it is empty. */
  readonly errors: Error[];
}

async function world(context: TestContext): Promise<World> {
  const base = await temporaryFolder(context);
  const path = join(base, 'master.key');
  const folder = join(base, 'keys');
  const master = (): MasterKey => {
    const key = openMasterKeyFile(path, { everyMs: 20 });
    context.after(() => key.close());
    return key;
  };
  const errors: Error[] = [];
  return {
    errors,
    folder,
    path,
    master,
    async open(onRewrapped = () => undefined) {
      const vault = await openEnvelopeVault({
        folder,
        master: master(),
        onError: (error) => errors.push(error),
        onRewrapped,
      });
      context.after(() => vault.close());
      return vault;
    },
  };
}

vaultSuite('envelope', async (context) => {
  const { path, open } = await world(context);
  let rewrapped: ((accounts: number) => void) | undefined;
  return {
    open: () => open((accounts) => rewrapped?.(accounts)),
    async rotate() {
      const done = Promise.withResolvers<number>();
      rewrapped = done.resolve;
      rotateMasterKeyFile(path);
      await done.promise;
    },
  };
});

test('after a rotation no data key is under the old master key; one that was missed is caught up with at the next start', async (context) => {
  const { path, folder, open, master, errors } = await world(context);
  const first = await open();
  for (const account of ['1', '2', '3']) await first.ready(account);
  const sealed = first.seal('2', 'k', TEXT);
  await first.close();
  const id = rotateMasterKeyFile(path); // while nothing runs
  const done = Promise.withResolvers<number>();
  const second = await open(done.resolve);
  assert.equal(await done.promise, 3);
  for (const name of readdirSync(folder))
    assert.match(readFileSync(join(folder, name), 'utf8'), new RegExp(`"master":"${id}"`), name);
  await second.ready('2');
  assert.deepEqual(Buffer.from(second.open('2', 'k', sealed)), TEXT);
  assert.equal(master().current(), id);
  assert.deepEqual(errors, []);
});

test('without its master key, or with damaged key files, nothing opens and nothing is made anew', async (context) => {
  const { path, folder, open } = await world(context);
  await (await open()).ready('1');
  const file = join(folder, '1.json');
  const good = readFileSync(file, 'utf8');
  writeFileSync(file, good.slice(0, 20));
  await assert.rejects(async () => (await open()).ready('1'), /1\.json is damaged/);
  writeFileSync(file, good);
  rmSync(path);
  const stranger = await openEnvelopeVault({ folder, master: openMasterKeyFile(path), onError: () => undefined });
  context.after(() => stranger.close());
  await assert.rejects(async () => stranger.ready('1'), /has no key m-/);
  assert.equal(readFileSync(file, 'utf8'), good);
  await assert.rejects(async () => stranger.ready('../1'), /cannot name/);
});

test('a key file that is moved to another account does not open', async (context) => {
  const { folder, open } = await world(context);
  await (await open()).ready('1');
  writeFileSync(join(folder, '2.json'), readFileSync(join(folder, '1.json')));
  await assert.rejects(async () => (await open()).ready('2'), /does not open under the master key/);
});
