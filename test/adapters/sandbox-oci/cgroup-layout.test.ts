import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type CgroupLayout, detectCgroups } from '../../../src/adapters/sandbox-oci/cgroup-layout.ts';
import { Cgroups, numberIn } from '../../../src/adapters/sandbox-oci/cgroups.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { waitingClock } from '../waiting-clock.ts';

const V1 = ['memory', 'cpu,cpuacct', 'pids', 'freezer'].map(
  (names, index) => `4${index} 31 0:3${index} / /sys/fs/cgroup/${names} rw - cgroup cgroup rw,${names}`,
);
const UNIFIED = '50 31 0:40 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw';
const V2 = '30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate';

describe('cgroup layout', () => {
  it('recognises version 1, version 2 and hybrid', () => {
    const first = detectCgroups(V1.join('\n'));
    const hybrid = detectCgroups([...V1, UNIFIED].join('\n'), () => 'hugetlb\n');
    const second = detectCgroups(V2, () => 'cpuset cpu io memory pids\n');
    assert.ok(typeof first !== 'string' && typeof hybrid !== 'string' && typeof second !== 'string');
    assert.deepEqual([first.kind, hybrid.kind, second.kind], ['v1', 'hybrid', 'v2']);
    assert.equal(hybrid.controllers.cpuacct, '/sys/fs/cgroup/cpu,cpuacct');
    assert.equal(hybrid.hierarchies.length, 5);
    assert.deepEqual([first.freezer, second.freezer], ['/sys/fs/cgroup/freezer', '/sys/fs/cgroup']);
    const without = detectCgroups(V1.filter((line) => !line.includes('freezer')).join('\n'));
    assert.ok(typeof without !== 'string' && without.freezer === undefined);
    assert.equal(second.controllers.memory, '/sys/fs/cgroup');
  });

  it('names the controllers that are missing', () => {
    const missing = detectCgroups(V1.filter((line) => !/pids|memory/.test(line)).join('\n'), () => '');
    assert.ok(typeof missing === 'string');
    assert.match(missing, /no control group controller for memory, pids:/);
    const half = detectCgroups(V2, () => 'cpu memory');
    assert.ok(typeof half === 'string');
    assert.match(half, /memory, cpu, cpuacct, pids/);
  });

  it('reads numbers of keyed files exactly', () => {
    assert.equal(numberIn('oom_kill_disable 0\nunder_oom 0\noom_kill 3\n', 'oom_kill'), 3);
    assert.equal(numberIn('oom 1\n', 'oom_kill'), 0);
  });
});

describe('control groups of version 2, on plain files', () => {
  it('prepares parents, writes, verifies and reads limits', async (test) => {
    const root = await temporaryFolder(test);
    const layout: CgroupLayout = {
      kind: 'v2',
      controllers: { memory: root, cpu: root, cpuacct: root, pids: root },
      freezer: root,
      hierarchies: [root],
    };
    const cgroups = new Cgroups(layout, '/tidemill/abc', waitingClock);
    cgroups.prepare();
    assert.equal(readFileSync(join(root, 'tidemill/abc/cgroup.subtree_control'), 'utf8'), '+memory +cpu +pids');
    writeFileSync(join(root, 'tidemill/abc/memory.swap.max'), 'max');
    const limits = { memoryMb: 128, cpu: 0.5, pids: 64 };
    assert.deepEqual(cgroups.resources(limits).memory, { limit: 134_217_728, swap: 134_217_728 });
    const group = join(root, 'tidemill/abc/x');
    mkdirSync(group);
    writeFileSync(join(group, 'cgroup.procs'), '17\n42\n');
    cgroups.setLimits('x', limits);
    assert.equal(readFileSync(join(group, 'cpu.max'), 'utf8'), '50000 100000');
    cgroups.verify('x', limits, 42);
    assert.throws(() => cgroups.verify('x', limits, 43), /is not in its memory group/);
    writeFileSync(join(group, 'memory.max'), 'max');
    assert.throws(() => cgroups.verify('x', limits, 42), /memory limit of x does not bind/);
    writeFileSync(join(group, 'memory.current'), '5000');
    writeFileSync(join(group, 'memory.peak'), '9000');
    writeFileSync(join(group, 'memory.stat'), 'anon 1000\ninactive_file 2000\n');
    writeFileSync(join(group, 'cpu.stat'), 'usage_usec 77\n');
    writeFileSync(join(group, 'pids.current'), '2');
    writeFileSync(join(group, 'memory.events'), 'oom 1\noom_kill 1\n');
    assert.deepEqual(await Promise.resolve(cgroups.stats('x')), {
      memoryBytes: 3000,
      memoryPeakBytes: 9000,
      cpuMicros: 77,
      processes: 2,
    });
    assert.equal(cgroups.oomKills('x'), 1);
    assert.equal(cgroups.oomKills('gone'), 0);
  });
});
