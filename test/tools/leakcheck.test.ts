import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { findLeaks } from '../../tools/leakcheck.ts';
import { temporaryFolder } from '../adapters/temporary-folder.ts';

describe('leakcheck', () => {
  it('finds planted leftovers, and nothing once they are gone', async (test) => {
    const runDir = await temporaryFolder(test);
    const scope = { runDir, patienceMs: 0 };
    assert.deepEqual(await findLeaks(scope), []);
    mkdirSync(join(runDir, 'i', 'left'), { recursive: true });
    const process = spawn('sleep', ['60'], { argv0: `sleep ${runDir}` });
    await once(process, 'spawn');
    const leaks = await findLeaks(scope);
    assert.deepEqual(leaks, [`process ${process.pid}: sleep ${runDir} 60`, 'file i/left']);
    process.kill('SIGKILL');
    await once(process, 'exit');
    rmSync(join(runDir, 'i'), { recursive: true });
    assert.deepEqual(await findLeaks({ ...scope, patienceMs: 2_000 }), []);
  });

  const isRoot = process.getuid?.() === 0;
  it('finds kernel objects by the tag noted in the run folder', {
    skip: isRoot ? false : 'needs root',
  }, async (test) => {
    const runDir = await temporaryFolder(test);
    writeFileSync(join(runDir, 'network.json'), '{"tag":"0123ab"}');
    const bridge = spawn('ip', ['link', 'add', 'tm0123ab', 'type', 'bridge']);
    const [code] = await once(bridge, 'exit');
    if (code !== 0) return test.skip('this host cannot make bridges');
    try {
      assert.deepEqual(await findLeaks({ runDir, patienceMs: 0 }), ['network device tm0123ab']);
      assert.deepEqual(await findLeaks({ runDir, tag: 'ffffff', patienceMs: 0 }), []);
    } finally {
      await once(spawn('ip', ['link', 'del', 'tm0123ab']), 'exit');
    }
  });
});
