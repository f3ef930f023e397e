import type { Clock } from '../../core/base/clock.ts';
import type { Disposable } from '../../core/base/disposable.ts';
import type { Random } from '../../core/base/random.ts';
import type { CpuReading } from '../../core/domain/cpu-pressure.ts';
import type { VersionSpec } from '../../core/domain/version-spec.ts';
import type { VersionShape } from './events.ts';
import { LagProbe } from './lag-probe.ts';
import { MachinePressure } from './machine-pressure.ts';
import { OverloadGuard } from './overload.ts';
import { overloadError } from './refusals.ts';

/** Most refused calls held at once; more are refused at once. */
const HELD_MAX = 2_000;

/** The overload guard in front of the scheduler: its two signals (delay here, pressure of processors on the nodes), its draws, and what happens to a refused call. */
export class OverloadGate implements Disposable {
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly guard = new OverloadGuard();
  private readonly probe: LagProbe;
  private readonly machines = new MachinePressure();
  private held = 0;

  constructor(clock: Clock, random: Random) {
    this.clock = clock;
    this.random = random;
    this.probe = new LagProbe(clock, (lagMs, now) => this.guard.observe(lagMs, now));
  }

  /** True while calls must go through `pass`; otherwise `count` is enough. */
  get active(): boolean {
    return this.guard.active;
  }

  /** Counts a call that is let in without asking. */
  count(shape: VersionShape, now: number): void {
    this.probe.touch(now);
    this.guard.admit(shape.account, shape.functionKey, now, 1);
  }

  /** Counts a call; rejects, a little later, when it is refused. */
  async pass(shape: VersionShape, spec: VersionSpec, signal: AbortSignal): Promise<void> {
    const now = this.clock.monotonic();
    this.probe.touch(now);
    const draw = this.guard.active ? this.random.float() : 1;
    if (this.guard.admit(shape.account, shape.functionKey, now, draw)) return;
    const error = overloadError(spec);
    if (this.held < HELD_MAX) await this.hold(signal);
    throw error;
  }

  /** How short of processors a node is. */
  reading(nodeId: string, cpu: CpuReading): void {
    const now = this.clock.monotonic();
    this.machines.take(nodeId, cpu, now);
    if (this.machines.everywhere(now)) this.guard.press(now);
  }

  dispose(): void {
    this.probe.dispose();
  }

  private async hold(signal: AbortSignal): Promise<void> {
    this.held++;
    try {
      await new Promise<void>((resolve) => {
        const timer = this.clock.after(this.guard.holdMs, () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        });
        const onAbort = (): void => {
          timer.dispose();
          resolve();
        };
        signal.addEventListener('abort', onAbort, { once: true });
      });
    } finally {
      this.held--;
    }
  }
}
