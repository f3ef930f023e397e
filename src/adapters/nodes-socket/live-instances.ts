import type { ExitReason, InstanceExit } from '../../core/domain/instance.ts';

/** The instances a server knows to be alive: whatever tells of an end first, it counts once. */
export class LiveInstances {
  /** The reason asked for, once somebody has asked for an end. */
  private readonly known = new Map<string, ExitReason | undefined>();

  add(instanceId: string): void {
    if (!this.known.has(instanceId)) this.known.set(instanceId, undefined);
  }

  asked(instanceId: string, reason: ExitReason): void {
    if (this.known.has(instanceId)) this.known.set(instanceId, reason);
  }

  /** True when it was alive until now. */
  remove(instanceId: string): boolean {
    return this.known.delete(instanceId);
  }

  /** Removes all that are not in `present` and gives their exits: nobody was there to see how they ended. */
  missing(present: ReadonlySet<string>): readonly InstanceExit[] {
    const exits: InstanceExit[] = [];
    for (const [instanceId, asked] of this.known) {
      if (present.has(instanceId)) continue;
      this.known.delete(instanceId);
      exits.push({ instanceId, reason: asked ?? 'crash', lastOutput: '' });
    }
    return exits;
  }
}
