import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { installationTag } from '../../../src/adapters/sandbox-oci/runtime.ts';
import { scripted } from '../../../src/core/ports/sandbox.suite.ts';
import { findLeaks } from '../../../tools/leakcheck.ts';
import { killedAgent, openRuntime, whyNoContainers } from './oci-world.ts';

const skip = (await whyNoContainers()) ?? false;

it('clears what an agent left half made, at whichever step it was killed', { skip, timeout: 120_000 }, async () => {
  const runDir = mkdtempSync(join(tmpdir(), 'tm-'));
  chmodSync(runDir, 0o711);
  const tag = installationTag(runDir);
  // Some of the 16 are ready when it dies, some run inside the OCI runtime, some wait for parts.
  for (const reports of [1, 4, 9]) {
    const specs = Array.from({ length: 16 }, () => scripted('setInterval(() => {}, 1000)', { diskMb: 16 + reports }));
    await killedAgent(runDir, specs, reports);
    const runtime = await openRuntime(runDir);
    const found = await runtime.adopt();
    assert.ok(found.length >= reports, `${found.length} adopted of at least ${reports}`);
    assert.deepEqual(
      found.filter((handle) => !existsSync(`/proc/${handle.pid}`)),
      [],
      'all of them run',
    );
    for (const handle of found) await handle.destroy();
    await runtime.close({ keepNetwork: false });
    assert.deepEqual(await findLeaks({ runDir, tag }), []);
  }
  rmSync(runDir, { recursive: true });
});
