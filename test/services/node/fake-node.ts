import type { Clock } from '../../../src/core/base/clock.ts';
import { silentLogger } from '../../../src/core/base/log.ts';
import { NodeService, type NodeServiceOptions } from '../../../src/services/node/node-service.ts';
import { countingRandom, FakeCode, fakeDialer, FakeSandboxes, ManualClock, MemoryJournal } from './fakes.ts';

export interface FakeNode {
  readonly node: NodeService;
  readonly sandboxes: FakeSandboxes;
  readonly code: FakeCode;
  readonly journal: MemoryJournal;
  readonly clock: ManualClock;
}

/** A node over fakes; parts given are shared with an earlier one, as after a restart of the agent. */
export function makeNode(
  overrides: Partial<NodeServiceOptions> = {},
  kept: Partial<Pick<FakeNode, 'sandboxes' | 'journal'>> & { clock?: Clock } = {},
): FakeNode {
  const sandboxes = kept.sandboxes ?? new FakeSandboxes();
  const journal = kept.journal ?? new MemoryJournal();
  const code = new FakeCode();
  const clock = kept.clock ?? new ManualClock();
  const node = new NodeService({
    nodeId: 'node-1',
    zone: 'zone-a',
    cpu: 2,
    memoryMb: 8192,
    freeMemoryMb: () => 8192,
    cpuReading: () => undefined,
    sandboxes,
    dialer: fakeDialer(sandboxes),
    code,
    journal,
    launch: (runtime) =>
      runtime === 'absent' ? undefined : { args: runtime.startsWith('custom') ? [] : ['/rt/node'], env: {}, boot: [] },
    clock,
    random: countingRandom(),
    log: silentLogger,
    region: 'local',
    endpoints: { api: 'http://10.0.0.1:1', objects: 'http://10.0.0.1:2' },
    defaultDiskMb: 512,
    poolPolicy: { depth: 0, always: [], recentMs: 600_000, maxMembers: 4 },
    barePolicy: { depth: 0, always: [], recentMs: 600_000, maxMembers: 4 },
    startsAtOnce: 4,
    usagePeriodMs: 1_000,
    ...overrides,
  });
  return { node, sandboxes, code, journal, clock: clock as ManualClock };
}
