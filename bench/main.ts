import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type Platform } from '../conformance/start.ts';
import { type Measurement, median, type Row } from './row.ts';
import { burstFromPool, burstFromScratch } from './rows/burst.ts';
import { coldByHand } from './rows/cold-by-hand.ts';
import { coldFromBare, coldFromPool, coldFromScratch } from './rows/cold.ts';
import { frozenCall } from './rows/frozen.ts';
import { idleMemory } from './rows/idle-memory.ts';
import { keepAlive } from './rows/keep-alive.ts';
import { population } from './rows/population.ts';
import { schedulerPairsRow } from './rows/scheduler-pairs.ts';
import { shrunkCall } from './rows/shrunk.ts';
import { smallCaller } from './rows/small-caller.ts';
import { eventThroughput } from './rows/event-throughput.ts';
import { durableAccept } from './rows/durable-accept.ts';
import { durableAcceptDoor } from './rows/durable-accept-door.ts';
import { queueMemory } from './rows/queue-memory.ts';
import { timerFires } from './rows/timer-fires.ts';
import { warmCost, warmLatency } from './rows/warm.ts';
import { warmUrl } from './rows/warm-url.ts';

const ROWS: readonly Row[] = [
  warmCost,
  warmLatency,
  warmUrl,
  coldFromPool,
  coldFromBare,
  coldFromScratch,
  coldByHand,
  idleMemory,
  frozenCall,
  shrunkCall,
  burstFromPool,
  burstFromScratch,
  smallCaller,
  keepAlive,
  schedulerPairsRow,
  population,
  durableAccept,
  durableAcceptDoor,
  eventThroughput,
  queueMemory,
  timerFires,
];

/** Measures the rows named on the command line (default: all) and prints one table; the same as JSON in bench/out. */
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !ROWS.some((row) => row.name === name));
if (unknown.length > 0) {
  console.error(`no row ${unknown.join(', ')}; there are: ${ROWS.map((row) => row.name).join(', ')}`);
  process.exit(2);
}

let running: Promise<Platform> | undefined;
const platform = (): Promise<Platform> => (running ??= connect());

interface Line {
  readonly row: string;
  readonly measure: string;
  readonly ours: string;
  readonly baseline: string;
  readonly ratio: number;
  readonly goal: string;
  readonly met: string;
}

const results: { row: string; baseline: string; measurement: Measurement; ratio: number }[] = [];
const lines: Line[] = [];
try {
  for (const row of ROWS) {
    if (wanted.length > 0 && !wanted.includes(row.name)) continue;
    for (const measurement of await row.run(platform)) {
      const ratio = median(measurement.rounds.map((pair) => pair.ours / pair.baseline));
      results.push({ row: row.name, baseline: row.baseline, measurement, ratio });
      lines.push(lineOf(row, measurement, ratio));
    }
  }
} finally {
  await (await running)?.close();
}
console.table(lines);
const folder = join(import.meta.dirname, 'out');
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);

function lineOf(row: Row, { measure, unit, rounds, goal }: Measurement, ratio: number): Line {
  const number = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} ${unit}`;
  return {
    row: row.name,
    measure,
    ours: number(median(rounds.map((pair) => pair.ours))),
    baseline: `${number(median(rounds.map((pair) => pair.baseline)))} (${row.baseline})`,
    ratio: Number(ratio.toFixed(3)),
    goal: goal === undefined ? '' : `≤ ${goal}`,
    met: goal === undefined ? '' : ratio <= goal ? 'yes' : 'no',
  };
}
