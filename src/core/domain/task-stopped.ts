/** Why a call is aborted: its task was stopped. The instance ends in order, with its pre-stop hook. */
export class TaskStopped extends Error {
  override readonly name = 'TaskStopped';

  constructor() {
    super('the task was stopped');
  }
}
