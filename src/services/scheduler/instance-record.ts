import type { Disposable } from '../../core/base/disposable.ts';
import type { InstanceExit } from '../../core/domain/instance.ts';
import type { VersionSpec } from '../../core/domain/version-spec.ts';
import type { ColdReason } from '../../core/domain/invocation.ts';
import type { InstanceLink } from '../../core/ports/instance-link.ts';
import type { StartedInstance } from '../../core/ports/node-pool.ts';

/** The outside of an instance that the core knows by number. */
export class InstanceRecord {
  readonly number: number;
  readonly instanceId: string;
  readonly spec: VersionSpec;
  readonly createdAt: number;
  link: InstanceLink | undefined = undefined;
  started: StartedInstance | undefined = undefined;
  /** Set when the instance ended while its start was still going on. */
  exit: InstanceExit | undefined = undefined;
  /** Its link broke by itself: nobody can call it any more. */
  linkLost = false;
  /** Runs when its link is lost, until its exit is told or its patience is over. */
  removal: Disposable | undefined = undefined;
  memoryPeakBytes = 0;
  /** What of its start was spent outside the node's own phases, milliseconds. */
  placedMs = 0;
  coldReason: ColdReason = 'first call';
  memoryBytes = 0;
  /** `frozen`: it stands still until its next call; `shrunk`: and its memory was taken. `never`: it keeps its CPU between calls. */
  pause: 'runs' | 'frozen' | 'shrunk' | 'never' = 'runs';
  /** It could not be shrunk, and is not asked again. */
  keepsMemory = false;

  constructor(number: number, instanceId: string, spec: VersionSpec, createdAt: number) {
    this.number = number;
    this.instanceId = instanceId;
    this.spec = spec;
    this.createdAt = createdAt;
  }
}

/** It stands still, and must be thawed for a call. */
export function standsStill(record: InstanceRecord): boolean {
  return record.pause === 'frozen' || record.pause === 'shrunk';
}

/** A running instance: its link is made. */
export type LinkedRecord = InstanceRecord & { link: InstanceLink };

export function isLinked(record: InstanceRecord | undefined): record is LinkedRecord {
  return record?.link !== undefined;
}
