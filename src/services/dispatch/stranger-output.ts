import type { InstanceOutput } from '../../core/ports/node-pool.ts';

/** Characters kept at most; beyond it the oldest output goes. */
const KEPT_CHARS = 4 * 1024 * 1024;

/**
 * Output of instances that this server has not met yet: what they wrote while no server was there arrives before anybody
 * has said whose they are. Kept until the next look at what runs, then handed on or, if nobody knows them, dropped.
 */
export class StrangerOutput {
  private readonly handOn: (output: InstanceOutput) => void;
  private kept: InstanceOutput[] = [];
  private chars = 0;

  constructor(handOn: (output: InstanceOutput) => void) {
    this.handOn = handOn;
  }

  keep(output: InstanceOutput): void {
    this.kept.push(output);
    this.chars += output.text.length;
    while (this.chars > KEPT_CHARS) this.chars -= this.kept.shift()?.text.length ?? 0;
  }

  /** These instances are known now. */
  met(instances: ReadonlySet<string>): void {
    const kept = this.kept;
    this.kept = [];
    this.chars = 0;
    for (const output of kept) if (instances.has(output.instanceId)) this.handOn(output);
  }
}
