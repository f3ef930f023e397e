import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { whyNot } from '../../test/adapters/sandbox-oci/oci-world.ts';
import { ATTEMPTS } from './attempts.ts';
import { EXHAUSTIONS, STAYER } from './exhaustion.ts';
import { commandLine, Stage } from './stage.ts';

/** System call numbers in `attempts.ts` are those of one processor. */
const skip = process.arch === 'x64' ? ((await whyNot('container')) ?? false) : 'the attempts are written for x86-64';

describe('ways out of a container', { timeout: 240_000, skip }, () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open('container');
  });
  after(() => stage.close());

  for (const attempt of ATTEMPTS) {
    it(`${attempt.what} (${attempt.language})`, async () => {
      assert.equal(await stage.getsOut(attempt), false, 'it got out');
      const edit = attempt.withoutGuard(stage.scene);
      // A trace of the first run would prove nothing: what is left behind needs two runs.
      if (attempt.what.includes('another tenant')) await stage.getsOut(attempt, edit);
      assert.equal(
        await stage.getsOut(attempt, edit),
        true,
        'without its guard it does not get out: the attempt shows nothing',
      );
    });
  }

  for (const attempt of EXHAUSTIONS) {
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

  it('a sandbox whose limits were lost on the way is not made', async () => {
    for (const edit of [
      'config.linux.resources.memory = {};',
      'config.linux.resources.pids = {};',
      'config.linux.resources.cpu = {};',
    ]) {
      await assert.rejects(stage.getsOut(STAYER, edit), /does not bind/);
    }
  });
});
