import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { detectCgroups } from '../../../src/adapters/sandbox-oci/cgroup-layout.ts';
import { scripted } from '../../../src/core/ports/sandbox.suite.ts';
import { openWorld, whyNoContainers } from './oci-world.ts';

const LIMITS = { memoryMb: 256, cpu: 1, pids: 64 };

test('the kernel gives a starting sandbox less of busy processors, and a ready one the usual part', async (t) => {
  const skip = await whyNoContainers();
  if (skip !== undefined) return t.skip(skip);
  const layout = detectCgroups();
  assert.ok(typeof layout !== 'string');
  const world = await openWorld();
  t.after(() => world.close());
  const spec = scripted('setInterval(() => {}, 1000)', { limits: { ...LIMITS, cpuWeight: 0.25 } });
  const handle = await world.runtime().create(spec);
  const name = layout.kind === 'v2' ? 'cpu.weight' : 'cpu.shares';
  const weight = (): number =>
    Number(readFileSync(join(layout.controllers.cpu, 'tidemill', world.tag, handle.id, name), 'utf8'));
  const booting = weight();
  await handle.setLimits(LIMITS);
  assert.equal(booting * 4, weight());
  assert.equal(weight(), layout.kind === 'v2' ? 100 : 1024);
  await handle.destroy();
});
