import {
  CPU_PRESSURE,
  type CpuPressure,
  type CpuReading,
  pressureAfter,
  underPressure,
} from '../../core/domain/cpu-pressure.ts';

/**
 * Whether processors are short on all machines that tell of themselves: as long as one has some left, calls can go there. A
 * machine that has fallen silent does not count, and none that tells means no pressure.
 */
export class MachinePressure {
  private readonly nodes = new Map<string, CpuPressure>();

  /** One more reading of a machine. */
  take(nodeId: string, reading: CpuReading, now: number): void {
    this.nodes.set(nodeId, pressureAfter(this.nodes.get(nodeId), reading, now));
  }

  /** Forgets machines whose readings have expired. */
  everywhere(now: number): boolean {
    let pressed = false;
    for (const [nodeId, pressure] of this.nodes) {
      if (now - pressure.at > CPU_PRESSURE.expiresMs) this.nodes.delete(nodeId);
      else if (underPressure(pressure, now)) pressed = true;
      else return false;
    }
    return pressed;
  }
}
