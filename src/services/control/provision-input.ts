import { type ReservedConfigRecord, RESERVED_TARGET_MAX } from '../../core/domain/reserved-config.ts';
import type { Input } from '../../core/ports/control.ts';
import { FieldReader } from './fields.ts';
import { readScheduled, readTracking } from './provision-policies.ts';

/** What a request says about a config; the rest is where it belongs. */
export type ReservedSettings = Pick<
  ReservedConfigRecord,
  'kind' | 'defaultTarget' | 'alwaysAllocateCPU' | 'onDemand' | 'requestDispatchPolicy' | 'scheduled' | 'tracking'
>;

/** PutProvisionConfigInput (FC reference 1.5). `target` is the older name of `defaultTarget`. */
export function readProvisionInput(
  input: Input,
  now: number,
  before: ReservedConfigRecord | undefined,
): ReservedSettings {
  const reader = new FieldReader(input);
  const range = { min: 0, max: RESERVED_TARGET_MAX };
  const older = reader.integer('target', range);
  const defaultTarget = reader.integer('defaultTarget', range) ?? older ?? 0;
  const alwaysAllocateCPU = reader.boolean('alwaysAllocateCPU') ?? false;
  reader.refuse('alwaysAllocateGPU', 'Leave it out or send false: this platform has no GPUs.');
  const scheduled = readScheduled(reader, 'scheduledActions', now, before?.scheduled ?? []);
  const tracking = readTracking(reader, 'targetTrackingPolicies', { min: 'minCapacity', max: 'maxCapacity' });
  reader.done();
  return {
    kind: 'provision',
    defaultTarget,
    alwaysAllocateCPU,
    onDemand: true,
    requestDispatchPolicy: '',
    scheduled,
    tracking,
  };
}
