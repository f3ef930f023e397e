import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { whyNot } from '../../test/adapters/sandbox-oci/oci-world.ts';
import { ATTEMPTS, type Attempt } from './attempts.ts';
import { EXHAUSTIONS, STAYER } from './exhaustion.ts';
import { commandLine, Stage } from './stage.ts';

const skip = process.arch === 'x64' ? ((await whyNot('gvisor')) ?? false) : 'the attempts are written for x86-64';

/** Calls that gVisor's own kernel answers: the host's is not reached by them, whatever the answer says. */
const OWN_KERNEL = ['kernel is not reached', 'can be opened for writing'];

describe('ways out of gVisor', { timeout: 240_000, skip }, () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open('gvisor');
  });
  after(() => stage.close());

  for (const attempt of ATTEMPTS.filter(({ what }) => !OWN_KERNEL.some((words) => what.includes(words)))) {
    it(`${attempt.what} (${attempt.language})`, async () => {
      assert.equal(await stage.getsOut(attempt), false, 'it got out');
      if (attempt.what.includes('another tenant')) assert.equal(await stage.getsOut(attempt), false, 'it got out');
    });
  }

  it('the link to the agent cannot be turned into a way to read files of the host', async () => {
    const swap: Attempt = {
      what: 'symbolic links where the agent reads and dials',
      language: 'shell',
      script: () => 'cd /run/instance/link && ln -sf /etc/shadow code; ln -sf /run/docker.sock s; kill -9 1; exit 7',
      withoutGuard: () => '',
    };
    assert.equal(await stage.getsOut(swap), false);
  });

  for (const attempt of EXHAUSTIONS.filter(({ what }) => !what.startsWith('processes'))) {
    it(`${attempt.what} (${attempt.language})`, async () => {
      assert.equal(await stage.getsOut(attempt), false, 'it took more');
      assert.equal(
        await stage.getsOut(attempt, '', attempt.roomy),
        true,
        'it takes nothing: the attempt shows nothing',
      );
    });
  }

  it('processes in sessions of their own end with the sandbox', async () => {
    await stage.getsOut(STAYER);
    const left = readdirSync('/proc').filter((entry) => commandLine(entry).includes(`stays-${stage.scene.marker}`));
    assert.deepEqual(left, []);
  });
});
