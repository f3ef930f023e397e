/** How the life of an accepted event can end: exactly one of these, once. */
export type EndState = 'Succeeded' | 'Failed' | 'Expired' | 'Invalid' | 'Stopped';

/** States of a stateful async task (FC reference 5). */
export type TaskStatus = EndState | 'Enqueued' | 'Dequeued' | 'Running' | 'Stopping' | 'Retrying';

export const TASK_STATUSES: readonly TaskStatus[] = [
  'Enqueued',
  'Dequeued',
  'Running',
  'Succeeded',
  'Failed',
  'Stopped',
  'Stopping',
  'Expired',
  'Invalid',
  'Retrying',
];

const ENDS: ReadonlySet<TaskStatus> = new Set<TaskStatus>(['Succeeded', 'Failed', 'Expired', 'Invalid', 'Stopped']);

/** Whether nothing more will happen to a task in this state. */
export function isEnd(status: TaskStatus): status is EndState {
  return ENDS.has(status);
}

/** By what a task is found. */
export interface TaskIdentity {
  readonly account: string;
  readonly functionName: string;
  /** As the caller gave it. */
  readonly qualifier: string;
  readonly taskId: string;
  readonly requestId: string;
}

/** One entry of the timeline. */
export interface TaskStep {
  readonly status: TaskStatus;
  /** Wall-clock milliseconds. */
  readonly at: number;
  readonly detail: string;
}

/** A task as it is kept. */
export interface TaskRecord extends TaskIdentity {
  readonly status: TaskStatus;
  /** Wall-clock milliseconds of acceptance. */
  readonly startedAt: number;
  /** Undefined until it has ended. */
  readonly endedAt: number | undefined;
  /** Runs that failed and were followed by another. */
  readonly retries: number;
  /** Of its last run; empty before the first. */
  readonly instanceId: string;
  /** Of its last run, milliseconds; 0 before the first has ended. */
  readonly durationMs: number;
  /** Why it failed or was retried last. */
  readonly message: string;
  /** How its last delivery to a destination went; empty when there was none. */
  readonly destinationStatus: string;
  readonly steps: readonly TaskStep[];
}

/** Steps kept of one task: its first ones and the latest; a task retried for days must not grow without end. */
const STEPS_KEPT = 64;

/** What changes when a task takes a step. */
export interface TaskChange {
  readonly retries?: number;
  readonly instanceId?: string;
  readonly durationMs?: number;
  readonly message?: string;
}

/**
 * The task after a step. An ended task stays as it is; a task that is being stopped only ends; a step into the state that it
 * is in already changes nothing.
 */
export function advance(task: TaskRecord, step: TaskStep, change: TaskChange = {}): TaskRecord {
  if (isEnd(task.status) || task.status === step.status) return task;
  if (task.status === 'Stopping' && !isEnd(step.status)) return task;
  const steps = [...task.steps, step];
  if (steps.length > STEPS_KEPT) steps.splice(STEPS_KEPT / 2, steps.length - STEPS_KEPT);
  return { ...task, ...change, status: step.status, steps, endedAt: isEnd(step.status) ? step.at : undefined };
}

/** A task whose event was just accepted. */
export function newTask(identity: TaskIdentity, at: number): TaskRecord {
  return {
    ...identity,
    status: 'Enqueued',
    startedAt: at,
    endedAt: undefined,
    retries: 0,
    instanceId: '',
    durationMs: 0,
    message: '',
    destinationStatus: '',
    steps: [{ status: 'Enqueued', at, detail: '' }],
  };
}
