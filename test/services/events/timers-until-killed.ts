import { join } from 'node:path';
import { systemClock, systemRandom } from '../../../src/adapters/clock-system/index.ts';
import { openEventQueue } from '../../../src/adapters/queue-sqlite/index.ts';
import { openMetadataStore } from '../../../src/adapters/store-sqlite/index.ts';
import { silentLogger } from '../../../src/core/base/log.ts';
import type { AsyncCommand } from '../../../src/core/ports/dispatch.ts';
import type { TriggerRecord } from '../../../src/core/domain/trigger.ts';
import { TimerTriggers } from '../../../src/services/events/timer-triggers.ts';
import { TriggerTarget } from '../../../src/services/events/trigger-target.ts';

/** Five timers for each second of the minute, made at the given time; prints a line for each fire that is on disk. */
const [, , folder = '', made = ''] = process.argv;
const createdTime = Number(made);

const timers = Array.from({ length: 300 }, (_, index): TriggerRecord => {
  const cronExpression = `${index % 60} * * * * *`;
  return {
    account: 'a',
    functionName: 'f',
    triggerName: `t${index}`,
    triggerId: `id${index}`,
    qualifier: 'LATEST',
    description: '',
    sourceArn: '',
    invocationRole: '',
    config: { type: 'timer', cronExpression, enable: true, payload: '' },
    rawConfig: '',
    createdTime,
    lastModifiedTime: createdTime,
  };
});

const queue = await openEventQueue({ path: join(folder, 'queue.db'), clock: systemClock, rememberMs: 3_600_000 });
const store = await openMetadataStore({ path: join(folder, 'store.db') });
const shared = { clock: systemClock, random: systemRandom, log: silentLogger };

async function invokeAsync({ requestId, dedupId = requestId, payload }: AsyncCommand) {
  await queue.enqueue([{ id: dedupId, key: 'a/f', dueAt: 0, headers: null, payload }]);
  process.stdout.write(`${dedupId}\n`);
  return { requestId, taskId: dedupId };
}

async function refuseAsync(): Promise<void> {
  throw new Error('no fire of this test is refused');
}

const target = new TriggerTarget({
  ...shared,
  region: 'local',
  access: { check: () => {} },
  dispatch: { invokeAsync, refuseAsync },
});
const catalog = { triggers: async () => timers, onTrigger: () => ({ dispose() {} }) };
// The platform's timers do not keep a process alive by themselves.
setInterval(() => {}, 60_000);
await new TimerTriggers({ ...shared, catalog, store, target }).start();
