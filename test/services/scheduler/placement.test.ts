import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type LedgerNode, type Placed, PlacementLedger } from '../../../src/services/scheduler/placement-ledger.ts';
import { place, type PlacementNode } from '../../../src/services/scheduler/placement.ts';
import { SeededRandom } from './simulated-clock.ts';

const ZONES = ['a', 'b', 'c'];

interface Running extends Placed {
  readonly id: string;
  node: string;
  /** Cores it really uses. */
  readonly cores: number;
}

type Choose = (nodes: readonly LedgerNode[], demand: Placed) => string | undefined;

/** A hundred machines in three zones and the instances on them, under one way of choosing. */
class Fleet {
  readonly nodes = new Map<string, LedgerNode>();
  readonly running = new Map<string, Running>();
  readonly ledger = new PlacementLedger();
  refused = 0;
  private readonly choose: Choose;
  private next = 1;
  private now = 0;

  constructor(choose?: (fleet: Fleet) => Choose) {
    for (let i = 0; i < 100; i++) {
      const nodeId = `n${i}`;
      this.nodes.set(nodeId, { nodeId, zone: ZONES[i % 3] ?? 'a', cpu: 16, memoryMb: 32_768 });
    }
    this.choose = choose?.(this) ?? ((nodes, demand) => this.ledger.choose(nodes, demand));
  }

  start(fn: number, memoryMb: number, cores: number): boolean {
    return this.put({ functionKey: `f${fn}`, versionKey: `f${fn}@1`, memoryMb }, cores);
  }

  put(placed: Placed, cores: number): boolean {
    const node = this.choose([...this.nodes.values()], placed);
    if (node === undefined) {
      this.refused++;
      return false;
    }
    const id = `i${this.next++}`;
    this.running.set(id, { ...placed, id, node, cores });
    this.ledger.add(id, node, placed);
    this.ledger.measured(id, 0, this.now);
    this.now += 1_000;
    this.ledger.measured(id, cores * 1e6, this.now);
    return true;
  }

  stop(id: string): void {
    this.running.delete(id);
    this.ledger.remove(id);
  }

  /** Machines fail: what ran there is placed anew, or refused. */
  fail(gone: (node: LedgerNode) => boolean): number {
    for (const node of [...this.nodes.values()].filter(gone)) this.nodes.delete(node.nodeId);
    const orphans = [...this.running.values()].filter((instance) => !this.nodes.has(instance.node));
    for (const orphan of orphans) this.stop(orphan.id);
    for (const { functionKey, versionKey, memoryMb, cores } of orphans) {
      this.put({ functionKey, versionKey, memoryMb }, cores);
    }
    return orphans.length;
  }

  used(nodeId: string): { memoryMb: number; cores: number } {
    const here = [...this.running.values()].filter((instance) => instance.node === nodeId);
    return {
      memoryMb: here.reduce((sum, instance) => sum + instance.memoryMb, 0),
      cores: here.reduce((sum, instance) => sum + instance.cores, 0),
    };
  }

  /** The widest gap between two zones' counts of one function, over all functions that could be spread. */
  zoneImbalance(): number {
    const counts = new Map<string, Map<string, number>>();
    for (const { functionKey, node } of this.running.values()) {
      const zone = this.nodes.get(node)?.zone ?? '';
      const of = counts.get(functionKey) ?? new Map<string, number>();
      of.set(zone, (of.get(zone) ?? 0) + 1);
      counts.set(functionKey, of);
    }
    const zones = new Set([...this.nodes.values()].map((node) => node.zone));
    let widest = 0;
    for (const of of counts.values()) {
      const each = [...zones].map((zone) => of.get(zone) ?? 0);
      widest = Math.max(widest, Math.max(...each) - Math.min(...each));
    }
    return widest;
  }

  checkNoOverload(): void {
    for (const node of this.nodes.values()) {
      const { memoryMb } = this.used(node.nodeId);
      assert.ok(memoryMb <= node.memoryMb, `${node.nodeId} holds ${memoryMb} MB`);
    }
  }

  /** Cores wanted beyond what the machines have, as a share of all wanted. */
  cpuOvercommit(): number {
    let over = 0;
    let wanted = 0;
    for (const node of this.nodes.values()) {
      const { cores } = this.used(node.nodeId);
      over += Math.max(0, cores - node.cpu);
      wanted += cores;
    }
    return over / wanted;
  }
}

function firstFit(fleet: Fleet): Choose {
  return (nodes, demand) =>
    nodes.find((node) => fleet.used(node.nodeId).memoryMb + demand.memoryMb <= node.memoryMb)?.nodeId;
}

function atRandom(fleet: Fleet): Choose {
  const random = new SeededRandom();
  return (nodes, demand) => {
    const fit = nodes.filter((node) => fleet.used(node.nodeId).memoryMb + demand.memoryMb <= node.memoryMb);
    return fit[Math.floor(random.float() * fit.length)]?.nodeId;
  };
}

/** Functions of both kinds: some compute (a core per 1 GB), most wait. Fills the fleet to `share` of its memory. */
function fill(fleet: Fleet, share: number): void {
  const random = new SeededRandom();
  const target = share * 32_768 * fleet.nodes.size;
  for (let used = 0; used < target; ) {
    const fn = Math.floor(random.float() * 60);
    const memoryMb = [512, 1_024, 2_048, 4_096][fn % 4] ?? 512;
    const cores = (memoryMb / 1_024) * (fn % 3 === 0 ? 1 : 0.05);
    fleet.start(fn, memoryMb, cores);
    used += memoryMb;
  }
}

describe('a hundred nodes in three zones', () => {
  test('functions are spread over zones, no node is overfilled, processors are shared better than by first fit or chance', () => {
    const ours = new Fleet();
    fill(ours, 0.8);
    ours.checkNoOverload();
    assert.equal(ours.refused, 0);
    assert.ok(ours.zoneImbalance() <= 1, `zones differ by ${ours.zoneImbalance()}`);
    const others = [new Fleet(firstFit), new Fleet(atRandom)];
    for (const other of others) fill(other, 0.8);
    const [first = 1, chance = 1] = others.map((other) => other.cpuOvercommit());
    const own = ours.cpuOvercommit();
    assert.ok(own <= first / 2, `cores short: ours ${own}, first fit ${first}`);
    assert.ok(own <= chance / 2, `cores short: ours ${own}, chance ${chance}`);
    assert.ok(others.every((other) => other.zoneImbalance() > 3));
  });

  test('large instances find room at nearly the fill that first fit reaches, and at more than by chance', () => {
    const reached = [new Fleet(), new Fleet(firstFit), new Fleet(atRandom)].map((fleet) => {
      fill(fleet, 0.75);
      let large = 0;
      while (fleet.start(1_000, 16_384, 0.5)) large++;
      fleet.checkNoOverload();
      return large;
    });
    const [ours = 0, first = 1, chance = 0] = reached;
    assert.ok(ours >= 0.7 * first, `${ours} large ones, first fit ${first}`);
    assert.ok(ours > chance, `${ours} large ones, chance ${chance}`);
  });

  test('after the loss of ten nodes and then of a zone everything runs again, spread over what is left', () => {
    const fleet = new Fleet();
    fill(fleet, 0.5);
    const all = fleet.running.size;
    const moved = fleet.fail((node) => Number(node.nodeId.slice(1)) < 10);
    assert.ok(moved > 0 && moved <= 0.25 * all, `${moved} of ${all} had to move`);
    assert.deepEqual([fleet.running.size, fleet.refused], [all, 0]);
    assert.ok(fleet.zoneImbalance() <= 2, `zones differ by ${fleet.zoneImbalance()}`);
    const lost = fleet.fail((node) => node.zone === 'b');
    assert.ok(lost < 0.4 * all, 'a zone holds about a third');
    assert.deepEqual([fleet.running.size, fleet.refused], [all, 0]);
    fleet.checkNoOverload();
    assert.ok(fleet.zoneImbalance() <= 2, `zones differ by ${fleet.zoneImbalance()}`);
  });

  test('what does not fit anywhere is refused, and fits once something has ended', () => {
    const fleet = new Fleet();
    for (let i = 0; i < 100; i++) assert.ok(fleet.start(i, 32_768, 1));
    assert.equal(fleet.start(100, 128, 1), false);
    const [first] = fleet.running.keys();
    if (first !== undefined) fleet.stop(first);
    assert.equal(fleet.start(100, 128, 1), true);
  });
});

describe('one choice', () => {
  const node = (nodeId: string, more: Partial<PlacementNode> = {}): PlacementNode => ({
    nodeId,
    zone: 'a',
    cpu: 8,
    memoryMb: 8_192,
    memoryUsedMb: 2_048,
    cpuUsed: 2,
    ofFunction: 0,
    holdsCode: false,
    ...more,
  });
  const demand = { memoryMb: 512, cpuLoad: 0.5 };
  const chosen = (...nodes: PlacementNode[]): string | undefined => place(nodes, demand)?.nodeId;

  test('the node that holds the code, when nothing else differs', () => {
    assert.equal(chosen(node('x'), node('y', { holdsCode: true })), 'y');
  });
  test('another zone rather than the code', () => {
    const first = node('x', { holdsCode: true, ofFunction: 1 });
    assert.equal(chosen(first, node('y', { zone: 'b' })), 'y');
  });
  test('another node of the zone rather than the code', () => {
    assert.equal(chosen(node('x', { holdsCode: true, ofFunction: 1 }), node('y')), 'y');
  });
  test('of nodes as full, a waiting one where processors are used and a computing one where they are not', () => {
    const [used, unused] = [node('used', { cpuUsed: 2 }), node('unused', { cpuUsed: 0 })];
    assert.equal(place([unused, used], { memoryMb: 512, cpuLoad: 0.1 })?.nodeId, 'used');
    assert.equal(place([used, unused], { memoryMb: 512, cpuLoad: 3 })?.nodeId, 'unused');
  });
  test('a fuller node, so that large ones find room', () => {
    assert.equal(chosen(node('x'), node('y', { memoryUsedMb: 4_096, cpuUsed: 4 })), 'y');
  });
  test('computing beside waiting', () => {
    const busy = node('x', { cpuUsed: 7.8 });
    assert.equal(place([busy, node('y', { cpuUsed: 0.5 })], { memoryMb: 512, cpuLoad: 1 })?.nodeId, 'y');
  });
  test('no node, none chosen', () => {
    assert.equal(chosen(), undefined);
    assert.equal(chosen(node('x', { memoryUsedMb: 8_000 })), undefined);
  });
});
