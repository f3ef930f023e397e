import assert from 'node:assert/strict';
import { chmodSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { detectCgroups } from '../../../src/adapters/sandbox-oci/cgroup-layout.ts';
import { Cgroups } from '../../../src/adapters/sandbox-oci/cgroups.ts';
import { firstWorking, type ProbeInput } from '../../../src/adapters/sandbox-oci/probe.ts';
import { RootSkeletons } from '../../../src/adapters/sandbox-oci/root-skeleton.ts';
import { seccompProfile } from '../../../src/adapters/sandbox-oci/seccomp-profile.ts';
import { reportTiers } from '../../../src/adapters/sandbox-oci/tiers.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { ID_BASE, whyNoContainers } from './oci-world.ts';
import { waitingClock } from '../waiting-clock.ts';

const skip = (await whyNoContainers()) ?? false;

async function inputFor(test: TestContext, script: string): Promise<ProbeInput> {
  const runDir = await temporaryFolder(test);
  chmodSync(runDir, 0o711);
  const layout = detectCgroups();
  const seccomp = seccompProfile(process.arch);
  assert.ok(typeof layout !== 'string' && seccomp !== undefined);
  const cgroups = new Cgroups(layout, `/tidemill/probe-${process.pid}`, waitingClock);
  test.after(() => cgroups.removeParents());
  writeFileSync(join(runDir, 'runsc'), script, { mode: 0o755 });
  const skeletons = new RootSkeletons(runDir);
  return { runDir, cgroups, skeletons, seccomp, idBase: ID_BASE, commandFolders: [runDir], timeoutMs: 300 };
}

describe('probe of OCI runtimes', { skip, timeout: 60_000 }, () => {
  it('gives up on a command that hangs, and leaves nothing of the attempt', async (test) => {
    const input = await inputFor(
      test,
      '#!/bin/sh\n[ "$1" = --version ] && { echo runsc 1.0; exit; }\nsleep 30 & wait\n',
    );
    const begin = performance.now();
    const { command, refused } = await firstWorking(['crun', 'runsc'], input);
    assert.ok(performance.now() - begin < 5_000);
    assert.equal(command, undefined);
    assert.deepEqual(refused, [
      'crun is not installed',
      'runsc 1.0 does not work here: (no end within 300 ms: killed)',
    ]);
    assert.deepEqual(readdirSync(input.runDir).sort(), ['r', 'runsc']);
  });

  it('repeats what a command says against this host', async (test) => {
    const input = await inputFor(test, '#!/bin/sh\necho "cgroups are odd here" >&2\nexit 1\n');
    const { refused } = await firstWorking(['runsc'], input);
    assert.match(refused[0] ?? '', /does not work here: cgroups are odd here$/);
  });

  it('reports every tier with what it uses or why it cannot be had', async () => {
    const reports = await reportTiers({ clock: waitingClock, idBase: ID_BASE });
    assert.deepEqual(
      reports.map((report) => report.tier),
      ['container', 'gvisor', 'isolate', 'process'],
    );
    for (const report of reports) assert.ok(report.detail.length > 10, report.tier);
    assert.match(reports[0]?.detail ?? '', /^(crun|runc) version .*, cgroup (v1|v2|hybrid), \/tmp on a disk image$/);
  });
});
