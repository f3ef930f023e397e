import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { systemClock } from '../../src/adapters/clock-system/index.ts';
import type { EventQueue } from '../../src/core/ports/event-queue.ts';
import { CLEAN_ENV } from '../processes.ts';
import { accept, costOf, fill, requestIds, withQueueFolder } from '../queue-load.ts';
import { type Pair, ROUNDS, type Row } from '../row.ts';

const execute = promisify(execFile);
const HOLDER = new URL('../queue-holder.ts', import.meta.url);

/** 10⁷ take two minutes and 8 GB of disk: `BENCH_EVENTS=10000000` asks for them. */
const EVENTS = Number(process.env['BENCH_EVENTS'] ?? 1_000_000);
const FEW = 10_000;
const LEASES = 200;
const MIB = 1_048_576;

interface Held {
  readonly openMs: number;
  readonly rssMib: number;
}

/**
 * A queue with `EVENTS` of one function against one with `FEW`: memory of a process that opens it and works with it, the time to
 * open it, what this process grew by while it filled it, and what it costs to take an event of another function.
 */
export const queueMemory: Row = {
  name: 'queue-memory',
  baseline: `the same with ${FEW} events`,
  run: () =>
    withQueueFolder(async (open, path) => {
      let queue = await open();
      await fill(queue, 'a/busy', FEW);
      await leases(queue);
      const costFew: number[] = [];
      for (let round = 0; round < ROUNDS; round++) costFew.push(await leases(queue));
      await queue.close();
      const few = await heldBy(path);
      queue = await open();
      await fill(queue, 'a/busy', EVENTS / 10 - FEW);
      const atTenth = process.memoryUsage.rss() / MIB;
      await fill(queue, 'a/busy', EVENTS - EVENTS / 10);
      const filling = { ours: process.memoryUsage.rss() / MIB, baseline: atTenth };
      await leases(queue);
      const taking: Pair[] = [];
      for (const baseline of costFew) taking.push({ ours: await leases(queue), baseline });
      await queue.close();
      const many = await heldBy(path);
      const pairs = (what: keyof Held): Pair[] =>
        many.map((each, round) => ({ ours: each[what], baseline: few[round]?.[what] ?? 0 }));
      return [
        { measure: `memory with ${EVENTS} events`, unit: 'MiB', rounds: pairs('rssMib'), goal: 1.25 },
        { measure: `memory while filling, at ${EVENTS} ÷ at a tenth`, unit: 'MiB', rounds: [filling] },
        { measure: 'opening it', unit: 'ms', rounds: pairs('openMs') },
        { measure: 'CPU of taking an event of another function', unit: 'µs', rounds: taking, goal: 1.5 },
      ];
    }),
};

async function heldBy(path: string): Promise<Held[]> {
  const held: Held[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const { stdout } = await execute(process.execPath, [fileURLToPath(HOLDER), path], { env: CLEAN_ENV });
    held.push(JSON.parse(stdout) as Held);
  }
  return held;
}

/** CPU microseconds of taking one event of a function whose events come after all of the busy one. */
async function leases(queue: EventQueue): Promise<number> {
  await accept(queue, { ids: requestIds(LEASES), inFlight: 50, key: 'a/other' });
  const skip = new Set(['a/busy']);
  const { cpuMs } = await costOf(async () => {
    for (let n = 0; n < LEASES; n++) {
      const taken = await queue.lease({ max: 1, leaseMs: 3_600_000, now: systemClock.now(), skip });
      if (taken[0]?.key !== 'a/other') throw new Error('the other function was not served');
    }
  });
  return (cpuMs * 1000) / LEASES;
}
