import { place, type PlacementNode } from './placement.ts';

/** A machine as its pool describes it. */
export interface LedgerNode {
  readonly nodeId: string;
  readonly zone: string;
  readonly cpu: number;
  readonly memoryMb: number;
}

export interface Placed {
  readonly versionKey: string;
  readonly functionKey: string;
  readonly memoryMb: number;
}

interface Entry extends Placed {
  readonly nodeId: string;
  cpuLoad: number;
  /** Processor time and moment of the last measurement. */
  cpuMicros: number;
  at: number;
}

interface NodeUse {
  memoryMb: number;
  cpu: number;
  readonly functions: Map<string, number>;
  /** Versions that ran here: their code is unpacked. */
  readonly code: Set<string>;
}

/** Cores that an instance is taken to use before anything was measured, per MB: a share like that of its memory. */
const CORES_PER_MB = 1 / 2_048;
const SMOOTHING = 0.3;
/** Versions remembered per node. Older ones may have left its code cache. */
const CODE_REMEMBERED = 4_096;

/** Which instance is on which node and what it uses there: what placement decides by. Pure; times are passed in. */
export class PlacementLedger {
  private readonly entries = new Map<string, Entry>();
  private readonly uses = new Map<string, NodeUse>();
  /** Measured cores of an instance, by version. */
  private readonly loads = new Map<string, number>();

  /** The node for one more instance, undefined when none has room. Nothing is counted until `add`. */
  choose(nodes: readonly LedgerNode[], demand: Placed): string | undefined {
    const views = nodes.map((node): PlacementNode => {
      const use = this.uses.get(node.nodeId);
      return {
        ...node,
        memoryUsedMb: use?.memoryMb ?? 0,
        cpuUsed: use?.cpu ?? 0,
        ofFunction: use?.functions.get(demand.functionKey) ?? 0,
        holdsCode: use?.code.has(demand.versionKey) ?? false,
      };
    });
    return place(views, { memoryMb: demand.memoryMb, cpuLoad: this.loadOf(demand) })?.nodeId;
  }

  add(instanceId: string, nodeId: string, placed: Placed): void {
    this.remove(instanceId);
    const { versionKey, functionKey, memoryMb } = placed;
    const entry: Entry = {
      versionKey,
      functionKey,
      memoryMb,
      nodeId,
      cpuLoad: this.loadOf(placed),
      cpuMicros: 0,
      at: Number.NaN,
    };
    this.entries.set(instanceId, entry);
    const use = this.use(nodeId);
    use.memoryMb += memoryMb;
    use.cpu += entry.cpuLoad;
    use.functions.set(functionKey, (use.functions.get(functionKey) ?? 0) + 1);
    use.code.delete(versionKey);
    use.code.add(versionKey);
    if (use.code.size > CODE_REMEMBERED) for (const oldest of use.code) return void use.code.delete(oldest);
  }

  /** The instance is gone. Nothing happens when it was not known. */
  remove(instanceId: string): void {
    const entry = this.entries.get(instanceId);
    if (entry === undefined) return;
    this.entries.delete(instanceId);
    const use = this.use(entry.nodeId);
    use.memoryMb -= entry.memoryMb;
    use.cpu -= entry.cpuLoad;
    const left = (use.functions.get(entry.functionKey) ?? 1) - 1;
    if (left > 0) use.functions.set(entry.functionKey, left);
    else use.functions.delete(entry.functionKey);
  }

  /** Processor time of an instance since its start, measured at `now` (milliseconds). */
  measured(instanceId: string, cpuMicros: number, now: number): void {
    const entry = this.entries.get(instanceId);
    if (entry === undefined) return;
    const passed = now - entry.at;
    if (passed > 0) {
      const cores = Math.max(0, cpuMicros - entry.cpuMicros) / 1_000 / passed;
      const before = this.loadOf(entry);
      this.loads.set(entry.versionKey, before + SMOOTHING * (cores - before));
      this.use(entry.nodeId).cpu += cores - entry.cpuLoad;
      entry.cpuLoad = cores;
    }
    entry.cpuMicros = cpuMicros;
    entry.at = now;
  }

  /** The version will not run any more. */
  forget(versionKey: string): void {
    this.loads.delete(versionKey);
  }

  private loadOf(placed: Placed): number {
    return this.loads.get(placed.versionKey) ?? placed.memoryMb * CORES_PER_MB;
  }

  private use(nodeId: string): NodeUse {
    let use = this.uses.get(nodeId);
    if (use === undefined) {
      use = { memoryMb: 0, cpu: 0, functions: new Map(), code: new Set() };
      this.uses.set(nodeId, use);
    }
    return use;
  }
}
