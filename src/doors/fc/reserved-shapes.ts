import type { ScheduledTarget, TrackingPolicy } from '../../core/domain/reserved-config.ts';
import type { ReservedConfigView } from '../../core/ports/control.ts';
import type { OperationContext } from './operation.ts';

/** Answer of GetProvisionConfig when there is none (FC reference 1.5). */
export const NO_PROVISION_CONFIG: Record<string, unknown> = {
  functionArn: '',
  defaultTarget: 0,
  target: 0,
  current: 0,
  currentError: '',
  alwaysAllocateCPU: false,
  alwaysAllocateGPU: false,
  scheduledActions: [],
  targetTrackingPolicies: [],
};

/** `ProvisionConfig` of FC reference 1.5: `target` is what the policies say now, `current` what is ready. */
export function provisionShape(context: OperationContext, view: ReservedConfigView): Record<string, unknown> {
  const { record, functionArn } = view;
  const { target, current, error } = context.reserved.status(record);
  return {
    functionArn,
    defaultTarget: record.defaultTarget,
    target,
    current,
    currentError: error,
    alwaysAllocateCPU: record.alwaysAllocateCPU,
    alwaysAllocateGPU: false,
    scheduledActions: record.scheduled.map(scheduledShape),
    targetTrackingPolicies: record.tracking.map((policy) => trackingShape(policy, 'minCapacity', 'maxCapacity')),
  };
}

/** Answer of GetScalingConfig when there is none (FC reference 1.5). */
export const NO_SCALING_CONFIG: Record<string, unknown> = {
  functionArn: '',
  minInstances: 0,
  currentInstances: 0,
  targetInstances: 0,
  currentError: '',
  enableOnDemandScaling: true,
  enableMixMode: false,
  horizontalScalingPolicies: [],
  scheduledPolicies: [],
};

/** `ScalingConfigStatus` of FC reference 1.5. */
export function scalingShape(context: OperationContext, view: ReservedConfigView): Record<string, unknown> {
  const { record, functionArn } = view;
  const { target, current, error } = context.reserved.status(record);
  return {
    functionArn,
    minInstances: record.defaultTarget,
    currentInstances: current,
    targetInstances: target,
    currentError: error,
    enableOnDemandScaling: record.onDemand,
    enableMixMode: false,
    ...(record.requestDispatchPolicy === '' ? {} : { requestDispatchPolicy: record.requestDispatchPolicy }),
    horizontalScalingPolicies: record.tracking.map((policy) => trackingShape(policy, 'minInstances', 'maxInstances')),
    scheduledPolicies: record.scheduled.map(scheduledShape),
  };
}

function scheduledShape(policy: ScheduledTarget): Record<string, unknown> {
  const { name, scheduleExpression, target, startTime, endTime, timeZone } = policy;
  return { name, scheduleExpression, target, startTime, endTime, timeZone };
}

function trackingShape(policy: TrackingPolicy, min: string, max: string): Record<string, unknown> {
  const { name, metricType, metricTarget, startTime, endTime, timeZone } = policy;
  return { name, metricType, metricTarget, [min]: policy.min, [max]: policy.max, startTime, endTime, timeZone };
}
