import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** A fresh folder that is removed when the test is over. */
export async function temporaryFolder(test: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'tidemill-test-'));
  test.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}
