import { RESERVED_METRICS, type TrackingPolicy } from '../../core/domain/reserved-config.ts';
import { trackedTarget } from '../../core/domain/reserved-target.ts';
import { type FloorSample, Mean, utilisation } from './reserved-metrics.ts';

/** How quickly target tracking follows: up within seconds, down only after a longer calm. Milliseconds. */
export interface TrackingPace {
  readonly growMs: number;
  readonly shrinkMs: number;
}

/** Where one tracking policy stands. */
export class Tracker {
  target: number;
  private readonly mean = new Mean();
  /** Highest mean of a growth period since the last step down was possible. */
  private busiest: number | undefined = undefined;
  private periodStart: number;
  private lastStep: number;

  constructor(policy: TrackingPolicy, live: number, now: number) {
    this.target = Math.min(Math.max(live, policy.min), policy.max);
    this.periodStart = now;
    this.lastStep = now;
  }

  /** Takes one reading; `now` is monotonic. The policy may have changed since the last. */
  observe(policy: TrackingPolicy, samples: readonly FloorSample[], now: number, pace: TrackingPace): void {
    this.target = Math.min(Math.max(this.target, policy.min), policy.max);
    const reading = utilisation(RESERVED_METRICS[policy.metricType], samples);
    if (reading !== undefined) this.mean.add(reading);
    if (now - this.periodStart < pace.growMs) return;
    this.periodStart = now;
    const metric = this.mean.take();
    if (metric === undefined) return;
    const current = samples.reduce((sum, { report }) => sum + report.ready, 0);
    const grown = trackedTarget(policy, current, metric);
    if (metric > policy.metricTarget) {
      if (grown > this.target) this.target = grown;
      this.lastStep = now;
      this.busiest = undefined;
      return;
    }
    this.busiest = Math.max(this.busiest ?? 0, metric);
    if (now - this.lastStep < pace.shrinkMs) return;
    this.target = Math.min(this.target, trackedTarget(policy, current, this.busiest));
    this.lastStep = now;
    this.busiest = undefined;
  }
}
