import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { type EncryptedDisk, openEncryptedDisk } from '../../../src/adapters/sandbox-oci/encrypted-disk.ts';
import { detach } from '../../../src/adapters/sandbox-oci/syscalls.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { whyNoContainers } from './oci-world.ts';

const skip = (await whyNoContainers()) ?? false;
const TEXT = 'nobody may read this on the disk ';

interface World {
  readonly mountPoint: string;
  readonly image: string;
  open(): Promise<EncryptedDisk>;
}

function world(context: TestContext): World {
  const base = mkdtempSync(join(tmpdir(), 'tidemill-test-'));
  const [mountPoint, image] = [join(base, 'code'), join(base, 'code.img')];
  let last: EncryptedDisk | undefined;
  const open = async (): Promise<EncryptedDisk> => {
    last = await openEncryptedDisk({ mountPoint, image, bytes: 256 * 1024 * 1024 });
    return last;
  };
  context.after(async () => {
    await last?.remove(); // a folder with a mount in it cannot be removed
    rmSync(base, { recursive: true, force: true });
  });
  return { mountPoint, image, open };
}

test('neither text nor name of a file is in the image; a second process takes the folder over', {
  skip,
}, async (context) => {
  const { image, open } = world(context);
  const { folder } = await open();
  writeFileSync(join(folder, 'telling-name.txt'), TEXT.repeat(10_000));
  execFileSync('sync', ['-f', folder]);
  const bytes = readFileSync(image);
  assert.equal(bytes.includes(TEXT), false);
  assert.equal(bytes.includes('telling-name'), false);
  const again = await open();
  assert.equal(again.folder, folder);
  assert.equal(readFileSync(join(folder, 'telling-name.txt'), 'utf8').length, TEXT.length * 10_000);
});

test('once it was unmounted, as by a restart of the machine, the next one is empty', { skip }, async (context) => {
  const { mountPoint, open } = world(context);
  const { folder } = await open();
  writeFileSync(join(folder, 'a'), TEXT);
  detach(mountPoint);
  assert.deepEqual(readdirSync((await open()).folder), []);
});

test('what lay there in the clear is removed, and removing it leaves nothing', { skip }, async (context) => {
  const { mountPoint, image, open } = world(context);
  mkdirSync(mountPoint);
  writeFileSync(join(mountPoint, 'plain'), TEXT);
  const disk = await open();
  assert.equal(existsSync(join(mountPoint, 'plain')), false);
  await disk.remove();
  assert.deepEqual([existsSync(mountPoint), existsSync(image)], [false, false]);
});

test('where it cannot be made, nothing is left', { skip }, async (context) => {
  const base = await temporaryFolder(context);
  const [mountPoint, image] = [join(base, 'code'), join(base, 'code.img')];
  await assert.rejects(openEncryptedDisk({ mountPoint, image, bytes: 4096 }), /mkfs\.ext4/);
  assert.deepEqual(readdirSync(base), []);
});
