import type { VersionSpec } from '../../core/domain/version-spec.ts';
import type { InstanceStartError } from '../../core/ports/node-pool.ts';
import type { ReservedFloor, SchedulerEvent, VersionShape } from './events.ts';
import { causeOf } from './refusals.ts';
import type { InstanceState, SchedulerState, VersionState } from './state.ts';

/** What there is of a version's reserved instances. */
export interface FloorReport {
  readonly ready: number;
  readonly inFlight: number;
  /** Ready instances, those on demand too. */
  readonly live: number;
  /** Ids of the ready reserved ones. */
  readonly instanceIds: readonly string[];
  readonly shortOf: VersionState['shortOf'];
  /** The last start failed; gone with the next that succeeds. `own`: by the function's own doing. */
  readonly failure: { readonly message: string; readonly own: boolean } | undefined;
}

interface CapacityDeps {
  readonly state: SchedulerState;
  readonly idOf: (instance: number) => string | undefined;
  readonly learn: (spec: VersionSpec) => Promise<{ readonly shape: VersionShape }>;
  readonly send: (event: SchedulerEvent) => void;
}

/** The scheduling loop as those see it who decide how many instances are reserved. */
export class ReservedCapacity {
  private readonly deps: CapacityDeps;
  private readonly failures = new Map<string, { message: string; own: boolean }>();

  constructor(deps: CapacityDeps) {
    this.deps = deps;
  }

  /** From when it resolves the version has this floor. */
  async reserve(spec: VersionSpec, floor: ReservedFloor): Promise<void> {
    // A version that nobody has met needs no floor taken away.
    if (floor.count === 0 && floor.onDemand && !this.deps.state.versions.has(spec.key)) return;
    const { shape } = await this.deps.learn(spec);
    this.deps.send({ type: 'reserve', version: shape, ...floor });
    if (floor.count === 0) this.failures.delete(spec.key);
  }

  report(versionKey: string): FloorReport {
    const version = this.deps.state.versions.get(versionKey);
    const ready: InstanceState[] = [];
    for (const instance of version?.instances ?? []) {
      if (instance.reserved && instance.phase === 'ready') ready.push(instance);
    }
    return {
      ready: ready.length,
      inFlight: ready.reduce((sum, instance) => sum + instance.inFlight, 0),
      live: version?.ready ?? 0,
      instanceIds: ready.flatMap((instance) => this.deps.idOf(instance.id) ?? []),
      shortOf: version?.shortOf,
      failure: this.failures.get(versionKey),
    };
  }

  started(versionKey: string): void {
    this.failures.delete(versionKey);
  }

  startFailed(versionKey: string, { failure }: InstanceStartError): void {
    const cause = causeOf(failure.kind);
    // Failures of versions without a floor are their callers' to hear of.
    if ((this.deps.state.versions.get(versionKey)?.floor.count ?? 0) === 0) return;
    this.failures.set(versionKey, { message: failure.message, own: cause === 'function' });
  }
}
