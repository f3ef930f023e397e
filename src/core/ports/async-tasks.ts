import type { StoredTask } from './event-queue.ts';

/** As they stand in a query: digits in strings, checked by who answers. */
export interface TaskListQuery {
  readonly qualifier?: string | undefined;
  readonly prefix?: string | undefined;
  readonly status?: string | undefined;
  readonly startedTimeBegin?: string | undefined;
  readonly startedTimeEnd?: string | undefined;
  readonly sortOrderByTime?: string | undefined;
  readonly includePayload?: string | undefined;
  readonly limit?: string | undefined;
  readonly nextToken?: string | undefined;
}

/** Stateful async tasks (FC reference 5), for doors. Every failure is a TidemillError. */
export interface AsyncTasks {
  /** With payload and, once it has ended, result. FunctionNotFound, AsyncTaskNotFound. */
  get(account: string, functionName: string, qualifier: string | undefined, taskId: string): Promise<StoredTask>;
  /** FunctionNotFound, InvalidArgument. */
  list(
    account: string,
    functionName: string,
    query: TaskListQuery,
  ): Promise<{ readonly items: readonly StoredTask[]; readonly nextToken?: string }>;
  /** A task that waits ends at once, one that runs is aborted; one that has ended stays as it is. */
  stop(account: string, functionName: string, qualifier: string | undefined, taskId: string): Promise<void>;
}
