import type { ExitReason, InstanceExit } from '../../core/domain/instance.ts';

interface LiveInstance {
  /** The reason asked for, once somebody has asked for an end. */
  asked: ExitReason | undefined;
  readonly source: string | undefined;
}

/** The instances a server knows to be alive: whatever tells of an end first, it counts once. */
export class LiveInstances {
  private readonly known = new Map<string, LiveInstance>();

  /** `source`: the network address of its own, if it has one. */
  add(instanceId: string, source: string | undefined): void {
    if (!this.known.has(instanceId)) this.known.set(instanceId, { asked: undefined, source });
  }

  asked(instanceId: string, reason: ExitReason): void {
    const instance = this.known.get(instanceId);
    if (instance !== undefined) instance.asked = reason;
  }

  sourceOf(instanceId: string): string | undefined {
    return this.known.get(instanceId)?.source;
  }

  /** True when it was alive until now. */
  remove(instanceId: string): boolean {
    return this.known.delete(instanceId);
  }

  /** Removes all that are not in `present` and gives their exits: nobody was there to see how they ended. */
  missing(present: ReadonlySet<string>): readonly InstanceExit[] {
    const exits: InstanceExit[] = [];
    for (const [instanceId, { asked }] of this.known) {
      if (present.has(instanceId)) continue;
      this.known.delete(instanceId);
      exits.push({ instanceId, reason: asked ?? 'crash', lastOutput: '' });
    }
    return exits;
  }
}
