import type { VersionShape } from './events.ts';
import type { InstanceRecord } from './instance-record.ts';
import { type Placed, PlacementLedger } from './placement-ledger.ts';

/** The outside of every instance that runs or is being started, by the core's number and by id, and where each one is. */
export class InstanceBook {
  readonly placement = new PlacementLedger();
  private readonly byNumber = new Map<number, InstanceRecord>();
  private readonly byId = new Map<string, InstanceRecord>();

  get(number: number): InstanceRecord | undefined {
    return this.byNumber.get(number);
  }

  named(instanceId: string): InstanceRecord | undefined {
    return this.byId.get(instanceId);
  }

  all(): Iterable<InstanceRecord> {
    return this.byNumber.values();
  }

  add(record: InstanceRecord): void {
    this.byNumber.set(record.number, record);
    this.byId.set(record.instanceId, record);
  }

  /** It is no more: lets go of its link and of its place. */
  drop(record: InstanceRecord): void {
    this.byNumber.delete(record.number);
    this.byId.delete(record.instanceId);
    this.placement.remove(record.instanceId);
    record.removal?.dispose();
    record.link?.close();
  }
}

/** What placement asks about an instance of this version. */
export function placedOf({ key, functionKey, memoryMb }: VersionShape): Placed {
  return { versionKey: key, functionKey, memoryMb };
}
