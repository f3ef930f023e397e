import type { Seeded } from './seeded.ts';

const MINUTE = 60_000;
/** Fewer calls than this show no schedule. */
const CALLS_OF_A_SCHEDULE = 3;
/** How far a fire may be from its time, so that it was counted with the minute before or after, milliseconds. */
const JITTER = 1_000;

/** The calls of one timer: when each came, and which of them its schedule explains. */
export interface TimerSeries {
  readonly times: readonly number[];
  readonly scheduled: readonly number[];
}

/**
 * When the calls of a timer came, given how many there were in each minute. The trace does not tell the schedule: its period is
 * inferred from the counts, and each call lies as near to a multiple of it as its minute permits. A timer whose fires were
 * counted now with one minute, now with its neighbour (0 and 2 calls among the ones), fires at the turn of the minute, as cron
 * does; any other at a second of its own. Calls that no multiple explains come at a uniform time of their minute.
 */
export function timerSeries(counts: readonly number[], random: Seeded): TimerSeries {
  const minutes = counts.flatMap((count, minute) => Array.from({ length: count }, () => minute));
  const inside = (minute: number): number => (minute + random.float()) * MINUTE;
  if (minutes.length < CALLS_OF_A_SCHEDULE) return { times: minutes.map(inside), scheduled: [] };
  const period = periodOf(counts, minutes);
  const second = random.float() * Math.min(period, MINUTE);
  const phase = commonestPhase(minutes, Math.max(1, Math.round(period / MINUTE))) * MINUTE;
  const fits = [phase + second, phase, phase + MINUTE].map((base) => fit(minutes, period, base));
  const best = fits.reduce((a, b) => (b.amiss < a.amiss ? b : a));
  const scheduled: number[] = [];
  const times = minutes.map((minute, i) => {
    const ideal = best.ideals[i];
    if (ideal === undefined) return inside(minute);
    const late = ideal + random.float() * JITTER * 0.1;
    const at = Math.min(Math.max(late, minute * MINUTE), (minute + 1) * MINUTE - random.float() * JITTER * 0.1);
    scheduled.push(at);
    return at;
  });
  return { times: times.sort((a, b) => a - b), scheduled: scheduled.sort((a, b) => a - b) };
}

/** Milliseconds between fires: the median gap in minutes, or the calls a minute when it is called in every one. */
function periodOf(counts: readonly number[], minutes: readonly number[]): number {
  const active = counts.flatMap((count, minute) => (count > 0 ? [minute] : []));
  const gaps = active.slice(1).map((minute, i) => minute - (active[i] ?? 0));
  const median = gaps.toSorted((a, b) => a - b)[gaps.length >> 1] ?? 1;
  if (median > 1) return median * MINUTE;
  const span = (active.at(-1) ?? 0) - (active[0] ?? 0) + 1;
  return MINUTE / Math.max(1, Math.round(minutes.length / span));
}

function commonestPhase(minutes: readonly number[], period: number): number {
  const phases = new Map<number, number>();
  for (const minute of minutes) phases.set(minute % period, (phases.get(minute % period) ?? 0) + 1);
  return [...phases].toSorted((a, b) => b[1] - a[1])[0]?.[0] ?? 0;
}

interface Fit {
  /** For each call the multiple it is a fire of, undefined: of none. */
  readonly ideals: readonly (number | undefined)[];
  /** Calls without a fire and fires without a call. */
  readonly amiss: number;
}

function fit(minutes: readonly number[], period: number, base: number): Fit {
  let amiss = 0;
  let turn = Math.ceil(((minutes[0] ?? 0) * MINUTE - JITTER - base) / period);
  const ideals = minutes.map((minute) => {
    const first = Math.ceil((minute * MINUTE - JITTER - base) / period);
    if (turn < first) {
      amiss += first - turn;
      turn = first;
    }
    const ideal = base + turn * period;
    if (ideal >= (minute + 1) * MINUTE + JITTER) {
      amiss++;
      return undefined;
    }
    turn++;
    return ideal;
  });
  return { ideals, amiss };
}
