/** One machine as placement sees it. Counts are kept by whoever owns the list; placing changes nothing. */
export interface PlacementNode {
  readonly nodeId: string;
  readonly zone: string;
  /** Cores and memory for instances. */
  readonly cpu: number;
  readonly memoryMb: number;
  readonly memoryUsedMb: number;
  /** Cores that its instances are measured to use. */
  readonly cpuUsed: number;
  /** Instances of the function to be placed, here. */
  readonly ofFunction: number;
  /** Has the code of the version unpacked. */
  readonly holdsCode: boolean;
}

/** What is to be placed. */
export interface PlacementDemand {
  readonly memoryMb: number;
  /** Cores it uses while it serves, from the processor time measured per millisecond of its calls. */
  readonly cpuLoad: number;
}

/**
 * What each wish counts. Spread comes first because it is what survives a failure; the others are worth less than one instance
 * of difference. Not tuned to a load: only their order matters much (test/services/scheduler/placement.test.ts).
 */
const WEIGHTS = { zone: 8, node: 4, complement: 2, pack: 3, code: 1.5 };

/**
 * The node for one more instance, undefined when none has room. Scores each that has, O(nodes):
 * - spread: zones, then nodes, with fewer instances of the function come first;
 * - complement: memory and processor are to be used up together, so a CPU-bound instance goes where memory is used and
 *   processors are not, and the other way round;
 * - fragmentation: best fit, so that large instances still find a node; but a node is not filled beyond its processors;
 * - code affinity: a node that holds the code starts sooner.
 */
export function place(nodes: readonly PlacementNode[], demand: PlacementDemand): PlacementNode | undefined {
  const inZone = new Map<string, number>();
  let most = 1;
  for (const node of nodes) {
    const count = (inZone.get(node.zone) ?? 0) + node.ofFunction;
    inZone.set(node.zone, count);
    most = Math.max(most, node.ofFunction);
  }
  const fewest = Math.min(...zonesWithRoom(nodes, demand).map((zone) => inZone.get(zone) ?? 0));
  let best: PlacementNode | undefined;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (const node of nodes) {
    if (!fits(node, demand)) continue;
    const score = scoreOf(node, demand, (inZone.get(node.zone) ?? 0) - fewest, most);
    if (score > bestScore) {
      bestScore = score;
      best = node;
    }
  }
  return best;
}

function fits(node: PlacementNode, demand: PlacementDemand): boolean {
  return node.memoryUsedMb + demand.memoryMb <= node.memoryMb;
}

function zonesWithRoom(nodes: readonly PlacementNode[], demand: PlacementDemand): string[] {
  return nodes.filter((node) => fits(node, demand)).map((node) => node.zone);
}

function scoreOf(node: PlacementNode, demand: PlacementDemand, zoneLead: number, most: number): number {
  const memory = (node.memoryUsedMb + demand.memoryMb) / node.memoryMb;
  const cpu = (node.cpuUsed + demand.cpuLoad) / node.cpu;
  return (
    -WEIGHTS.zone * Math.min(zoneLead, 4) -
    (WEIGHTS.node * node.ofFunction) / most -
    WEIGHTS.complement * Math.abs(memory - cpu) +
    WEIGHTS.pack * (cpu > 1 ? 1 - cpu : memory) +
    (node.holdsCode ? WEIGHTS.code : 0)
  );
}
