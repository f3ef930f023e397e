import { TidemillError } from '../../core/domain/errors.ts';
import type { AsyncTasks, TaskListQuery } from '../../core/ports/async-tasks.ts';
import type { Catalog } from '../../core/ports/catalog.ts';
import type { StoredTask, TaskTable } from '../../core/ports/event-queue.ts';
import { taskQuery, tokenOf } from './task-list.ts';

/** Async tasks over the queue's own table. Stopping one that runs is the consumer's part: the table tells it. */
export class Tasks implements AsyncTasks {
  private readonly catalog: Pick<Catalog, 'function'>;
  private readonly table: TaskTable;

  constructor(catalog: Pick<Catalog, 'function'>, table: TaskTable) {
    this.catalog = catalog;
    this.table = table;
  }

  async get(account: string, name: string, qualifier: string | undefined, taskId: string): Promise<StoredTask> {
    await this.checkFunction(account, name);
    const stored = await this.table.get(account, name, taskId);
    const other = qualifier !== undefined && qualifier !== '' && stored?.task.qualifier !== qualifier;
    if (stored === undefined || other) throw notFound(taskId);
    return stored;
  }

  async list(
    account: string,
    name: string,
    query: TaskListQuery,
  ): Promise<{ readonly items: readonly StoredTask[]; readonly nextToken?: string }> {
    const wanted = taskQuery(account, name, query);
    await this.checkFunction(account, name);
    const { items, next } = await this.table.list(wanted);
    return next === undefined ? { items } : { items, nextToken: tokenOf(next) };
  }

  async stop(account: string, name: string, qualifier: string | undefined, taskId: string): Promise<void> {
    await this.get(account, name, qualifier, taskId);
    if ((await this.table.stop(account, name, taskId)) === undefined) throw notFound(taskId);
  }

  private async checkFunction(account: string, name: string): Promise<void> {
    if ((await this.catalog.function(account, name)) !== undefined) return;
    throw new TidemillError('FunctionNotFound', `function '${name}' does not exist`);
  }
}

function notFound(taskId: string): TidemillError {
  return new TidemillError('AsyncTaskNotFound', `async task '${taskId.slice(0, 140)}' does not exist`);
}
