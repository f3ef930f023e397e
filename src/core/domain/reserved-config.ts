/**
 * Reserved instances: how many instances of a function are kept ready whether it is called or not (FC reference 1.5, 7). Function
 * Compute has two dialects for them, provision configs and scaling configs; both become this one record.
 */
export type ReservedKind = 'provision' | 'scaling';

/** When a policy counts. Texts as they were given; empty = unbounded, and UTC. */
interface PolicyWindow {
  readonly startTime: string;
  readonly endTime: string;
  readonly timeZone: string;
}

export interface ScheduledTarget extends PolicyWindow {
  readonly name: string;
  /** `cron(second minute hour day month weekday)` or `at(yyyy-mm-ddThh:mm:ss)`. */
  readonly scheduleExpression: string;
  readonly target: number;
  /** Wall-clock milliseconds at which this policy was first put: it has not fired before. */
  readonly since: number;
}

/** The field's names of what can be tracked. */
export const RESERVED_METRICS = {
  /** Calls in flight on reserved instances / their slots. */
  ProvisionedConcurrencyUtilization: 'concurrency',
  /** CPU time used / CPU time configured. */
  CPUUtilization: 'cpu',
  /** Memory used / memory configured. */
  MemoryUtilization: 'memory',
} as const;

export type ReservedMetricType = keyof typeof RESERVED_METRICS;
export type ReservedMetric = (typeof RESERVED_METRICS)[ReservedMetricType];

export interface TrackingPolicy extends PolicyWindow {
  readonly name: string;
  readonly metricType: ReservedMetricType;
  /** 0..1, above 0. */
  readonly metricTarget: number;
  readonly min: number;
  readonly max: number;
}

export interface ReservedConfigRecord {
  readonly account: string;
  readonly functionName: string;
  /** `LATEST` or an alias. */
  readonly qualifier: string;
  readonly kind: ReservedKind;
  /** Instances when no policy is in effect. */
  readonly defaultTarget: number;
  /** Instances keep their CPU between calls. Otherwise they are frozen. */
  readonly alwaysAllocateCPU: boolean;
  /** False: only reserved instances serve. */
  readonly onDemand: boolean;
  /** `Balanced`: calls go round the reserved instances. Empty: the most recently used one first. */
  readonly requestDispatchPolicy: '' | 'Balanced';
  readonly scheduled: readonly ScheduledTarget[];
  readonly tracking: readonly TrackingPolicy[];
  readonly lastModifiedTime: number;
}

/** Most instances of one config (FC reference 1.5). */
export const RESERVED_TARGET_MAX = 10_000;

/** A config that asks for nothing now or later: left over by clients that set the target to 0 instead of deleting. */
export function asksForNothing(config: ReservedConfigRecord): boolean {
  return config.defaultTarget === 0 && config.onDemand && config.scheduled.length + config.tracking.length === 0;
}
