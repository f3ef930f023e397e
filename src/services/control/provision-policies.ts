import { notSupported } from '../../core/domain/errors.ts';
import {
  RESERVED_METRICS,
  RESERVED_TARGET_MAX,
  type ReservedMetricType,
  type ScheduledTarget,
  type TrackingPolicy,
} from '../../core/domain/reserved-config.ts';
import { isTimeZone, parseSchedule, policyTime } from '../../core/domain/reserved-time.ts';
import { FieldReader, invalid, shown } from './fields.ts';

/** Policies of both dialects of reserved instances (FC reference 1.5, 7). */

const MAX_POLICIES = 100;
const NAME = { max: 128 } as const;

interface WindowTexts {
  readonly startTime: string;
  readonly endTime: string;
  readonly timeZone: string;
}

/** `scheduledActions` and `scheduledPolicies`. One that was there before, unchanged, has fired since it was first put. */
export function readScheduled(
  reader: FieldReader,
  field: string,
  now: number,
  before: readonly ScheduledTarget[],
): ScheduledTarget[] {
  return readPolicies(reader, field, (policy) => {
    const name = policy.required('name', NAME);
    const window = readWindow(policy);
    const scheduleExpression = policy.required('scheduleExpression', { max: 256 });
    const schedule = parseSchedule(scheduleExpression, window.timeZone);
    if (schedule.kind === 'invalid') throw invalid(policy.name('scheduleExpression'), schedule.problem);
    const target = required(policy, 'target', policy.integer('target', { min: 0, max: RESERVED_TARGET_MAX }));
    const same = before.find(
      (old) =>
        old.name === name &&
        old.scheduleExpression === scheduleExpression &&
        old.target === target &&
        old.startTime === window.startTime &&
        old.endTime === window.endTime &&
        old.timeZone === window.timeZone,
    );
    return { name, scheduleExpression, target, ...window, since: same?.since ?? now };
  });
}

/** `targetTrackingPolicies` and `horizontalScalingPolicies`, which name their bounds differently. */
export function readTracking(
  reader: FieldReader,
  field: string,
  bounds: { readonly min: string; readonly max: string },
): TrackingPolicy[] {
  return readPolicies(reader, field, (policy) => {
    const name = policy.required('name', NAME);
    const metricType = readMetric(policy);
    const metricTarget = policy.raw('metricTarget');
    if (typeof metricTarget !== 'number' || !(metricTarget > 0 && metricTarget <= 1)) {
      throw invalid(policy.name('metricTarget'), `must be a number above 0 and up to 1, not ${shown(metricTarget)}`);
    }
    const range = { min: 1, max: RESERVED_TARGET_MAX };
    const min = required(policy, bounds.min, policy.integer(bounds.min, range));
    const max = required(policy, bounds.max, policy.integer(bounds.max, range));
    if (max < min) throw invalid(policy.name(bounds.max), `must not be below ${bounds.min} (${min}), is ${max}`);
    return { name, metricType, metricTarget, min, max, ...readWindow(policy) };
  });
}

function readMetric(policy: FieldReader): ReservedMetricType {
  const type = policy.required('metricType');
  if (type.startsWith('GPU')) {
    throw notSupported(
      `${policy.name('metricType')} '${type}'`,
      'This platform has no GPUs: track CPUUtilization or another metric.',
    );
  }
  for (const known of Object.keys(RESERVED_METRICS)) if (known === type) return known as ReservedMetricType;
  const choices = Object.keys(RESERVED_METRICS).join(', ');
  throw invalid(policy.name('metricType'), `must be one of ${choices}, not ${shown(type)}`);
}

function readPolicies<T extends { readonly name: string }>(
  reader: FieldReader,
  field: string,
  read: (policy: FieldReader) => T,
): T[] {
  const list = reader.raw(field);
  if (list === undefined) return [];
  const name = reader.name(field);
  if (!Array.isArray(list)) throw invalid(name, 'must be a list of policies');
  if (list.length > MAX_POLICIES)
    throw invalid(name, `has ${list.length} policies, at most ${MAX_POLICIES} are allowed`);
  const policies = list.map((item, index) => {
    const policy = new FieldReader(item, `${name}[${index}]`);
    const value = read(policy);
    policy.done();
    return value;
  });
  policies.forEach((policy, index) => {
    if (policies.findIndex((other) => other.name === policy.name) !== index) {
      throw invalid(name, `has two policies named '${policy.name}'`);
    }
  });
  return policies;
}

function readWindow(policy: FieldReader): WindowTexts {
  const timeZone = policy.string('timeZone') ?? '';
  if (timeZone !== '' && !isTimeZone(timeZone)) {
    throw invalid(
      policy.name('timeZone'),
      `is not a time zone: ${shown(timeZone)}`,
      'Use a name such as Asia/Shanghai.',
    );
  }
  const startTime = policy.string('startTime') ?? '';
  const endTime = policy.string('endTime') ?? '';
  const from = readTime(policy, 'startTime', startTime, timeZone) ?? Number.NEGATIVE_INFINITY;
  const until = readTime(policy, 'endTime', endTime, timeZone) ?? Number.POSITIVE_INFINITY;
  if (until <= from) throw invalid(policy.name('endTime'), 'must be later than startTime');
  return { startTime, endTime, timeZone };
}

function readTime(policy: FieldReader, field: string, text: string, timeZone: string): number | undefined {
  if (text === '') return undefined;
  const time = policyTime(text, timeZone);
  if (time !== undefined) return time;
  throw invalid(policy.name(field), `must be a time as in 2030-01-31T08:00:00, not ${shown(text)}`);
}

function required(policy: FieldReader, field: string, value: number | undefined): number {
  if (value === undefined) throw invalid(policy.name(field), 'is required but not provided');
  return value;
}
