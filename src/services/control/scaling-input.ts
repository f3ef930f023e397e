import { notSupported } from '../../core/domain/errors.ts';
import { type ReservedConfigRecord, RESERVED_TARGET_MAX } from '../../core/domain/reserved-config.ts';
import type { Input } from '../../core/ports/control.ts';
import { FieldReader, shown } from './fields.ts';
import type { ReservedSettings } from './provision-input.ts';
import { readScheduled, readTracking } from './provision-policies.ts';

/** PutScalingConfigInput (FC reference 1.5): the newer dialect of reserved instances. */
export function readScalingInput(
  input: Input,
  now: number,
  before: ReservedConfigRecord | undefined,
): ReservedSettings {
  const reader = new FieldReader(input);
  const defaultTarget = reader.integer('minInstances', { min: 0, max: RESERVED_TARGET_MAX }) ?? 0;
  const onDemand = reader.boolean('enableOnDemandScaling') ?? true;
  reader.refuse('enableMixMode', 'Leave it out or send false: all instances of a function are of one kind.');
  reader.refuse('residentPoolId', 'Leave it out: there are no resident pools, all machines are one.');
  const policy = reader.string('requestDispatchPolicy') ?? '';
  if (policy !== '' && policy !== 'Balanced') {
    throw notSupported(
      `requestDispatchPolicy ${shown(policy)}`,
      "Send 'Balanced' to have calls go round the reserved instances, or leave it out for the most recently used one first.",
    );
  }
  const scheduled = readScheduled(reader, 'scheduledPolicies', now, before?.scheduled ?? []);
  const tracking = readTracking(reader, 'horizontalScalingPolicies', { min: 'minInstances', max: 'maxInstances' });
  reader.done();
  return {
    kind: 'scaling',
    defaultTarget,
    alwaysAllocateCPU: false,
    onDemand,
    requestDispatchPolicy: policy,
    scheduled,
    tracking,
  };
}
