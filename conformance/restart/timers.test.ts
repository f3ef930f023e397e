import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { models } from '../fc/world.ts';
import { Installation, until } from './installation.ts';
import { User } from './user.ts';

/** Each of these functions has a timer for each second of half a minute: three timers are due every second. */
const FUNCTIONS = ['even-0', 'even-1', 'even-2', 'odd-0', 'odd-1', 'odd-2'];
const TIMERS_A_SECOND = 3;
/** When everything is killed, milliseconds after a full second: before, while and after fires are handed on. */
const KILLS = [0, 3, 8, 20, 60, 400];
/** How long some of the downtimes last at least, milliseconds. */
const DOWN_MS = 2_200;

let house: Installation;
let user: User;
before(async () => {
  house = await Installation.serving();
  user = new User(() => house.platform);
});
after(() => house.close());

async function deployTimers(name: string): Promise<void> {
  await user.deploy(name, { 'index.js': 'exports.handler = async (event) => event;' });
  // Tasks keep what they were given and what they answered: that can be looked at whatever is killed.
  const body = new models.PutAsyncInvokeConfigInput({ asyncTask: true });
  await user.client.putAsyncInvokeConfig(name, new models.PutAsyncInvokeConfigRequest({ body }));
  for (let second = name.startsWith('even') ? 0 : 1; second < 60; second += 2) {
    const triggerConfig = JSON.stringify({ cronExpression: `${second} * * * * *`, enable: true, payload: name });
    const input = { triggerName: `at-${second}`, triggerType: 'timer', triggerConfig };
    const request = new models.CreateTriggerRequest({ body: new models.CreateTriggerInput(input) });
    await user.client.createTrigger(name, request);
  }
}

interface Fire {
  readonly of: string;
  readonly at: number;
  readonly status: string;
}

/** Every fire that became an invocation. */
async function fires(): Promise<Fire[]> {
  const found: Fire[] = [];
  for (const name of FUNCTIONS) {
    for (let nextToken: string | undefined = ''; nextToken !== undefined; ) {
      const page = { limit: 100, includePayload: true, ...(nextToken === '' ? {} : { nextToken }) };
      const { body } = await user.client.listAsyncTasks(name, new models.ListAsyncTasksRequest(page));
      for (const { taskPayload = '', status = '' } of body?.tasks ?? []) {
        const { triggerName, triggerTime } = JSON.parse(taskPayload) as Record<string, string>;
        found.push({ of: `${name}/${triggerName}`, at: Date.parse(triggerTime ?? ''), status });
      }
      nextToken = body?.nextToken === '' ? undefined : body?.nextToken;
    }
  }
  return found;
}

test('everything killed in the middle of fires, six times: none is missed, none is there twice', async () => {
  await Promise.all(FUNCTIONS.map(deployTimers));
  // Timers fire for no time before they were made.
  const first = Math.floor(Date.now() / 1_000) * 1_000 + 1_000;
  for (const [round, offset] of KILLS.entries()) {
    const now = Date.now();
    await pause(Math.floor(now / 1_000) * 1_000 + 2_000 + offset - now);
    const inside = house.sandboxed();
    await house.killAll();
    if (round % 2 === 1) for (const { pid } of inside) killed(pid);
    // Down for so long that fires fall due meanwhile.
    if (round % 3 === 1) await pause(DOWN_MS);
    await house.start();
  }
  const last = Math.floor(Date.now() / 1_000) * 1_000 + 1_000;
  const all = await until('every fire up to the last has ended well', async () => {
    const found = await fires();
    const due = found.filter(({ at }) => at === last);
    return due.length >= TIMERS_A_SECOND && found.every(({ status }) => status === 'Succeeded') ? found : undefined;
  });
  const names = all.map(({ of, at }) => `${of} ${new Date(at).toISOString()}`);
  assert.deepEqual(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
    'no fire is there twice',
  );
  // The platform was never down for a minute, so of no timer more than one fire fell due meanwhile: all are made up for.
  for (let at = first; at <= last; at += 1_000) {
    const there = all.filter((fire) => fire.at === at).map(({ of }) => of);
    assert.equal(there.length, TIMERS_A_SECOND, `fires at ${new Date(at).toISOString()}: ${there.join(' ')}`);
  }
  assert.ok((last - first) / 1_000 >= KILLS.length * 2);
});

/** An instance is killed too, unless it has ended by itself. */
function killed(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
