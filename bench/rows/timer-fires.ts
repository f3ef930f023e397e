import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { setTimeout as pause } from 'node:timers/promises';
import { systemClock, systemRandom } from '../../src/adapters/clock-system/index.ts';
import { silentLogger } from '../../src/core/base/log.ts';
import type { TriggerRecord } from '../../src/core/domain/trigger.ts';
import type { AsyncCommand } from '../../src/core/ports/dispatch.ts';
import { TimerTriggers } from '../../src/services/events/timer-triggers.ts';
import { TriggerTarget } from '../../src/services/events/trigger-target.ts';
import { withQueueFolder } from '../queue-load.ts';
import { type Measurement, type Pair, quantile, ROUNDS, type Row } from '../row.ts';

const TIMERS = 1_000_000;
const A_SECOND = 10_000;
const ROUND_MS = 1_000;

/** Timers that fall due evenly: `A_SECOND` of them each second. */
function timer(index: number, now: number): TriggerRecord {
  const rounds = TIMERS / A_SECOND;
  const createdTime = now - Math.floor((index / TIMERS) * rounds * 1000);
  const config = { type: 'timer', cronExpression: `@every ${rounds}s`, enable: true, payload: '' } as const;
  return {
    account: '1000000000000000',
    functionName: `f${index % 1000}`,
    triggerName: `t${index}`,
    triggerId: `trigger-${index}`,
    qualifier: 'LATEST',
    description: '',
    sourceArn: '',
    invocationRole: '',
    config,
    rawConfig: '',
    createdTime,
    lastModifiedTime: createdTime,
  };
}

interface Round {
  readonly late: number[];
  cpuMs: number;
}

/** The timer service as in the server. */
class Service {
  readonly triggers: TimerTriggers;
  late: number[] = [];
  /** Stands for dispatch. */
  accept: (command: AsyncCommand) => Promise<unknown> = async () => {};

  constructor(timers: readonly TriggerRecord[]) {
    const invokeAsync = async (command: AsyncCommand) => {
      await this.accept(command);
      this.late.push(Date.now() - Number(command.dedupId?.split(':')[1]));
      return { taskId: command.requestId, requestId: command.requestId };
    };
    const shared = { clock: systemClock, random: systemRandom, log: silentLogger };
    const refuseAsync = async (): Promise<void> => {
      throw new Error('no fire of this bench is refused');
    };
    const target = new TriggerTarget({
      ...shared,
      region: 'local',
      access: { check: () => {} },
      dispatch: { invokeAsync, refuseAsync },
    });
    this.triggers = new TimerTriggers({
      ...shared,
      target,
      catalog: { triggers: async () => timers, onTrigger: () => ({ dispose() {} }) },
      store: { get: async () => undefined, put: async () => ({ ok: true, revision: 1 }) },
    });
  }

  async round(): Promise<Round> {
    this.late = [];
    const before = process.cpuUsage();
    await pause(ROUND_MS);
    const { user, system } = process.cpuUsage(before);
    return { late: this.late, cpuMs: (user + system) / 1000 };
  }
}

/** How late a timer of the engine alone is, asked for each millisecond: what this machine does to everybody. */
async function engineLate(): Promise<number> {
  const late: number[] = [];
  const end = Date.now() + ROUND_MS / 2;
  for (let due = Date.now() + 2; due < end; due = Date.now() + 2) {
    await pause(due - Date.now());
    late.push(Date.now() - due);
  }
  return quantile(late, 0.99);
}

/**
 * 10⁶ timers, 10,000 fires a second: how late they are and what they cost, up to the hand-over to dispatch, and again until
 * each fire is on disk in the event queue.
 */
export const timerFires: Row = {
  name: 'timer-fires',
  baseline: 'see measure',
  async run() {
    // The platform's timers do not keep a process alive by themselves.
    const alive = setInterval(() => {}, 60_000);
    return await measure().finally(() => clearInterval(alive));
  },
};

async function measure(): Promise<readonly Measurement[]> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const heap = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const start = Date.now();
  const timers = Array.from({ length: TIMERS }, (_, index) => timer(index, start));
  const before = heap();
  const rounds = { late: [] as Pair[], share: [] as Pair[], engine: [] as Pair[] };
  const durable = { late: [] as Pair[], share: [] as Pair[] };
  const handed = new Service(timers);
  const loading = performance.now();
  await handed.triggers.start();
  const loadMs = performance.now() - loading;
  const bytes = (heap() - before) / TIMERS;
  // What fell due while they were loaded is late for that reason, and the code is cold.
  await pause(3 * ROUND_MS);
  for (let round = 0; round < ROUNDS; round++) {
    const { late, cpuMs } = await handed.round();
    rounds.late.push({ ours: quantile(late, 0.99), baseline: 1 });
    rounds.share.push({ ours: cpuMs / late.length, baseline: 1000 / A_SECOND });
  }
  for (let round = 0; round < ROUNDS; round++) {
    rounds.engine.push({ ours: rounds.late[round]?.ours ?? Number.NaN, baseline: (await engineLate()) || 1 });
  }
  await withQueueFolder(async (open) => {
    const queue = await open();
    handed.accept = ({ requestId, functionName, payload, dedupId = '' }) => {
      const headers = { requestId, functionName };
      return queue.enqueue([{ id: dedupId, key: functionName, dueAt: 0, headers, payload }]);
    };
    await pause(ROUND_MS);
    for (let round = 0; round < ROUNDS; round++) {
      const { late, cpuMs } = await handed.round();
      durable.late.push({ ours: quantile(late, 0.99), baseline: 1 });
      durable.share.push({ ours: cpuMs / late.length, baseline: 1000 / A_SECOND });
    }
    await handed.triggers.stop();
    await queue.close();
  });
  return [
    { measure: 'p99 late at the hand-over ÷ 1 ms', unit: 'ms', rounds: rounds.late, goal: 3 },
    { measure: 'p99 late at the hand-over ÷ that of a bare timer', unit: 'ms', rounds: rounds.engine },
    { measure: 'CPU of a fire ÷ its share of one core', unit: 'ms', rounds: rounds.share, goal: 0.1 },
    { measure: 'p99 late on disk ÷ 1 ms', unit: 'ms', rounds: durable.late },
    { measure: 'CPU of a fire on disk ÷ its share of one core', unit: 'ms', rounds: durable.share },
    { measure: 'memory of a timer beside its record ÷ 1 B', unit: 'B', rounds: [{ ours: bytes, baseline: 1 }] },
    { measure: 'start with all timers ÷ 1 s', unit: 's', rounds: [{ ours: loadMs / 1000, baseline: 1 }] },
  ];
}
