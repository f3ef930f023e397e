import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KEEP_ALIVE_DEFAULTS } from '../../src/services/scheduler/keep-alive.ts';
import { beating, frontier, oraclePoints, plotFrontier, type Point, validate } from './frontier.ts';
import { replayKpa } from './kpa.ts';
import type { Load } from './load.ts';
import { demandLine, instanceLines, plot } from './plot.ts';
import { Population } from './population.ts';
import { burstLoad, diurnalLoad } from './shapes.ts';
import { hoursOf, partOf, type Spread, traceLoad } from './trace.ts';
import { type Outcome, replay } from './world.ts';

/** What an instance takes to start, the same under every policy, milliseconds. */
const START_MS = 300;
const FIXED_MINUTES = [1, 5, 10, 60];
const DOCS = join(import.meta.dirname, '../../docs');
/** Of fixed ten minutes: the design's goal, which the exchange rate is chosen for. */
const GOAL_COLD = 0.3;
const BLUE = '#1f77b4';

/**
 * Replays loads through the scheduler core of production in simulated time:
 * `npm run simulate -- trace|frontier|validate|bursts|diurnal|population|sensitivity`. Prints tables; writes the plots of docs/.
 */
const scenarios: Readonly<Record<string, () => void>> = {
  trace: () => (['poisson', 'even'] as const).forEach(trace),
  frontier: curve,
  validate: crossValidate,
  bursts,
  diurnal,
  population,
  sensitivity,
};
const run = scenarios[process.argv[2] ?? ''];
if (run === undefined) {
  console.error(`usage: npm run simulate -- ${Object.keys(scenarios).join('|')}`);
  process.exitCode = 2;
} else {
  run();
}

function compare(load: Load): Record<string, Outcome> {
  const outcomes: Record<string, Outcome> = {};
  for (const minutes of FIXED_MINUTES) {
    const keepAlive = { fixedMs: minutes * 60_000 };
    outcomes[`fixed ${minutes} min`] = replay(load, { keepAlive, announce: false, startMs: START_MS });
  }
  outcomes['Knative KPA'] = replayKpa(load, START_MS);
  outcomes['learnt, timers unknown'] = replay(load, { keepAlive: 'learnt', announce: false, startMs: START_MS });
  outcomes['learnt'] = replay(load, { keepAlive: 'learnt', announce: true, startMs: START_MS, sampleMs: 10_000 });
  return outcomes;
}

function table(outcomes: Record<string, Outcome>): void {
  const base = outcomes['fixed 10 min'];
  console.table(
    Object.fromEntries(
      Object.entries(outcomes).map(([name, o]) => [
        name,
        {
          cold: o.cold,
          'cold ÷ fixed 10': Number((o.cold / (base?.cold ?? o.cold)).toFixed(3)),
          'idle GB·h': Number((o.idleMbSeconds / 1024 / 3600).toFixed(2)),
          'idle ÷ fixed 10': Number((o.idleMbSeconds / (base?.idleMbSeconds ?? o.idleMbSeconds)).toFixed(3)),
          starts: o.starts,
          peak: o.peak,
          'p99 wait ms': Math.round(o.p99WaitMs),
          'worst wait ms': Math.round(o.worstWaitMs),
          refused: o.refused,
        },
      ]),
    ),
  );
}

function trace(spread: Spread): void {
  const load = traceLoad(1, spread);
  console.log(`Azure sample, calls inside a minute: ${spread}; ${load.calls.length} calls, start ${START_MS} ms`);
  const outcomes = compare(load);
  table(outcomes);
  const samples = outcomes['learnt']?.samples ?? [];
  const lines = [demandLine(samples), instanceLines(samples, 'instances', BLUE)];
  if (spread === 'poisson') {
    writeFileSync(join(DOCS, 'simulation-trace.svg'), plot('Azure sample, eight hours', lines, 3_600_000, 'h'));
  }
}

/** Cold starts against idle memory as the worth of a warm call changes; each other policy must be beaten on both by a point. */
function curve(): void {
  for (const spread of ['poisson', 'even'] as const) {
    const { ours, others } = frontier(traceLoad(1, spread), START_MS);
    const row = ({ name, cold, idle }: Point): object => ({
      [spread]: name,
      cold: Number(cold.toFixed(3)),
      idle: Number(idle.toFixed(3)),
    });
    console.table(ours.map(row));
    console.table(oraclePoints(traceLoad(1, spread), START_MS).map(row));
    console.table(
      others.map((other) => ({
        ...row(other),
        'fewer cold starts and less memory at': beating(ours, other)
          .map((point) => point.name)
          .join(', '),
      })),
    );
    if (spread === 'poisson') {
      const title = 'Azure sample: cold starts against idle memory, as a warm call is worth more';
      writeFileSync(join(DOCS, 'simulation-frontier.svg'), plotFrontier(title, ours, others));
    }
  }
}

/** The one price is chosen on a part of the functions, of the hours or of the draws, and tried on the rest. */
function crossValidate(): void {
  const rows: Record<string, object> = {};
  for (const spread of ['poisson', 'even'] as const) {
    const load = traceLoad(1, spread);
    const [even, odd] = [0, 1].map((part) => partOf(load, (index) => index % 2 === part));
    const half = load.lengthMs / 2;
    const [first, second] = [hoursOf(load, 0, half), hoursOf(load, half, load.lengthMs)];
    if (even === undefined || odd === undefined) return;
    const cases: readonly (readonly [string, Load, Load])[] = [
      ['even functions → odd', even, odd],
      ['odd functions → even', odd, even],
      ['first four hours → last', first, second],
      ['last four hours → first', second, first],
      ['one draw → another', load, traceLoad(2, spread)],
    ];
    for (const [name, training, test] of cases) {
      const found = validate(name, training, test, START_MS, GOAL_COLD);
      rows[`${spread}: ${name}`] = {
        'rate chosen': `× ${Number(found.rate.toFixed(2))}`,
        'cold, training': Number(found.training.cold.toFixed(2)),
        'idle, training': Number(found.training.idle.toFixed(2)),
        'cold, test': Number(found.test.cold.toFixed(2)),
        'idle, test': Number(found.test.idle.toFixed(2)),
      };
    }
  }
  console.table(rows);
}

function bursts(): void {
  const load = burstLoad();
  const ours = replay(load, { keepAlive: 'learnt', announce: false, startMs: START_MS, sampleMs: 20 });
  const kpa = replayKpa(load, START_MS, 20);
  table({ learnt: ours, 'Knative KPA': kpa });
  const first = (o: Outcome): Outcome['samples'] => o.samples.filter((sample) => sample.at < 5_000);
  const lines = [
    demandLine(first(ours)),
    instanceLines(first(ours), 'instances', BLUE),
    instanceLines(first(kpa), 'pods (KPA)', '#7f7f7f'),
  ];
  const title = '1,000 calls of 10 ms inside 100 ms, on a cold function';
  writeFileSync(join(DOCS, 'simulation-bursts.svg'), plot(title, lines, 1_000, 's'));
}

function diurnal(): void {
  const load = diurnalLoad(1);
  console.log(`${load.calls.length} calls of ten functions in two days`);
  const outcomes = compare(load);
  table(outcomes);
  const samples = outcomes['learnt']?.samples ?? [];
  const lines = [demandLine(samples), instanceLines(samples, 'instances', BLUE)];
  writeFileSync(join(DOCS, 'simulation-diurnal.svg'), plot('Two days of ten functions', lines, 3_600_000, 'h'));
}

function population(): void {
  const rows = [1_000, 1_000_000].map((functions) => {
    const many = new Population(functions, 1);
    const best = Math.min(...Array.from({ length: 5 }, () => many.microsPerCall()));
    return { functions, 'µs per call': Number(best.toFixed(2)), 'bytes per function': many.bytesPerFunction };
  });
  console.table(rows);
}

/**
 * How far the result depends on the parameters and on the sample: the settings halved and doubled, five seeds, and each half
 * of the functions alone.
 */
function sensitivity(): void {
  const rows: Record<string, { cold: number; idle: number }> = {};
  const add = (name: string, load: Load, more: Partial<typeof KEEP_ALIVE_DEFAULTS> = {}): void => {
    const base = replay(load, { keepAlive: { fixedMs: 600_000 }, announce: false, startMs: START_MS });
    const settings = { keepAlive: { ...KEEP_ALIVE_DEFAULTS, ...more } };
    const ours = replay(load, { keepAlive: 'learnt', announce: true, startMs: START_MS, settings });
    const ratio = (a: number, b: number): number => Number((a / b).toFixed(3));
    rows[name] = { cold: ratio(ours.cold, base.cold), idle: ratio(ours.idleMbSeconds, base.idleMbSeconds) };
  };
  const load = traceLoad(1);
  add('defaults', load);
  for (let seed = 2; seed <= 5; seed++) add(`seed ${seed}`, traceLoad(seed));
  add(
    'functions with an even number',
    partOf(load, (index) => index % 2 === 0),
  );
  add(
    'functions with an odd number',
    partOf(load, (index) => index % 2 === 1),
  );
  const { warmCallWorth, floorMs, priorWeight, spread, mbPerCore } = KEEP_ALIVE_DEFAULTS;
  for (const factor of [0.5, 2, 4]) {
    add(`a warm call is worth × ${factor}`, load, { warmCallWorth: warmCallWorth * factor });
    add(`floor × ${factor}`, load, { floorMs: floorMs * factor });
    add(`prior × ${factor}`, load, { priorWeight: priorWeight * factor });
    add(`spread × ${factor}`, load, { spread: spread * factor });
    add(`memory per core × ${factor}`, load, { mbPerCore: mbPerCore * factor });
  }
  console.table(rows);
}
