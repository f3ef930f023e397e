import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { createOciRuntime, installationTag } from '../../../src/adapters/sandbox-oci/runtime.ts';
import { silentLogger } from '../../../src/core/base/log.ts';
import { runToEnd, scripted } from '../../../src/core/ports/sandbox.suite.ts';
import { findLeaks } from '../../../tools/leakcheck.ts';
import { ID_BASE, whyNoContainers } from './oci-world.ts';
import { waitingClock } from '../waiting-clock.ts';

const skip = (await whyNoContainers()) ?? false;

it('shows code, runtimes and disks that lie in a folder nobody else may enter', { skip, timeout: 60_000 }, async () => {
  const data = mkdtempSync(join(tmpdir(), 'tidemill-data-'));
  const runDir = mkdtempSync(join(tmpdir(), 'tm-'));
  chmodSync(runDir, 0o711);
  for (const name of ['code', 'shim']) mkdirSync(join(data, name));
  writeFileSync(join(data, 'code/text'), 'the code');
  writeFileSync(join(data, 'shim/text'), 'the shim');
  writeFileSync(join(data, 'single'), 'a single file');
  const runtime = await createOciRuntime({
    runDir,
    diskDir: join(data, 'disks'),
    installationId: data,
    idBase: ID_BASE,
    platformPorts: [],
    logger: silentLogger,
    clock: waitingClock,
  });
  const spec = scripted('', {
    process: {
      args: ['/bin/sh', '-c', 'cat text /srv/shim/text; head -c1 /srv/one; echo > /tmp/x'],
      env: {},
      cwd: '/code',
    },
    boot: [
      { source: join(data, 'shim'), target: '/srv/shim' },
      { source: join(data, 'single'), target: '/srv/one' },
    ],
    mounts: [{ source: join(data, 'code'), target: '/code' }],
  });
  const { exit, output } = await runToEnd(runtime, spec);
  assert.deepEqual([exit.exitCode, output], [0, 'the codethe shima']);
  await assert.rejects(
    runtime.create({ ...spec, id: 'hidden', mounts: [{ source: data, target: '/code' }] }),
    /not everybody may read it/,
  );
  for (const target of ['/usr/x', '/tmp/x', '/code/x', '/a/../etc', '/', 'relative', '/var/run']) {
    const boot = [{ source: join(data, 'shim'), target }];
    await assert.rejects(runtime.create({ ...spec, id: 'covering', boot }), /a boot folder cannot appear/, target);
  }
  await runtime.close({ keepNetwork: false });
  assert.deepEqual(readdirSync(join(data, 'disks')), []);
  assert.deepEqual(await findLeaks({ runDir, tag: installationTag(data) }), []);
  rmSync(data, { recursive: true });
  rmSync(runDir, { recursive: true });
});
