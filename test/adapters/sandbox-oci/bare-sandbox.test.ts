import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { beginScript } from '../../../src/adapters/sandbox-oci/bare-sandbox.ts';
import type { BareSandbox } from '../../../src/core/ports/sandbox.ts';
import { openWorld, whyNoContainers, type OciWorld } from './oci-world.ts';

const skip = await whyNoContainers();

it('the shell becomes the process with exactly the given words and variables', () => {
  const odd = 'it\'s "a" $HOME `x` \n \\';
  const script = beginScript({ args: ['/bin/sh', '-c', '/usr/bin/printf %s "$1"', 'sh', odd], env: {}, cwd: '/' });
  assert.equal(execFileSync('/bin/sh', [], { input: script, encoding: 'utf8' }), odd);
  const env = beginScript({ args: ['/usr/bin/env', '-0'], env: { ODD: odd, HOME: '/code' }, cwd: '/' });
  const words = execFileSync('/bin/sh', [], { input: env, encoding: 'utf8', env: { LEFT: 'over' } }).split('\0');
  const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  assert.deepEqual(words.toSorted(), ['', 'HOME=/code', `ODD=${odd}`, `PATH=${path}`].toSorted());
});

describe('a sandbox made without its process', { skip }, () => {
  let world: OciWorld;
  before(async () => {
    world = await openWorld();
  });
  after(async () => {
    await world.close();
    assert.deepEqual(await world.leaks(), []);
  });

  async function bare(id: string): Promise<BareSandbox> {
    const limits = { memoryMb: 128, cpu: 1, pids: 64 };
    const spec = { id, boot: [], limits, diskMb: 16, listen: 'http', internetAccess: false } as const;
    const made = world.runtime().createBare?.(spec);
    assert.ok(made !== undefined);
    return made;
  }

  it('runs what it is told, confined as any, once', async () => {
    const sandbox = await bare('bare-1');
    let said = '';
    sandbox.handle.onOutput((chunk) => {
      said += Buffer.from(chunk).toString();
    });
    const limits = { memoryMb: 192, cpu: 1, pids: 32 };
    await sandbox.handle.specialise({ mounts: [], limits, internetAccess: false });
    const script = 'id -u; pwd; ls /run/instance; grep CapEff /proc/self/status; touch /code/x; exit 7';
    await sandbox.begin({ args: ['/bin/sh', '-c', script], env: {}, cwd: '/code' });
    const exit = await sandbox.handle.exited;
    assert.equal(exit.exitCode, 7);
    assert.match(said, /^1000\n\/code\nhosts\nresolv\.conf\nCapEff:\t0+\n/);
    assert.match(said, /Read-only file system/);
    await assert.rejects(sandbox.begin({ args: ['/bin/true'], env: {}, cwd: '/' }), /ended or begun/);
    await sandbox.handle.destroy();
    assert.deepEqual(readdirSync(join(world.runDir, 'i')), []);
  });

  it('that nobody wants leaves nothing', async () => {
    const sandbox = await bare('bare-2');
    await sandbox.handle.destroy();
    await assert.rejects(sandbox.begin({ args: ['/bin/true'], env: {}, cwd: '/' }), /ended or begun/);
    assert.deepEqual(readdirSync(join(world.runDir, 'i')), []);
  });
});
