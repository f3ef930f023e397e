import { KEEP_ALIVE_DEFAULTS } from '../../src/services/scheduler/keep-alive.ts';
import { replayKpa } from './kpa.ts';
import type { Load } from './load.ts';
import { oracle } from './oracle.ts';
import { replay } from './world.ts';

/** One policy on one load, both axes as ratios to a fixed keep-alive of ten minutes. */
export interface Point {
  readonly name: string;
  readonly cold: number;
  readonly idle: number;
}

/** What a warm call is worth, as factors of the default. */
const RATES = [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4];
/** GB x seconds. */
const ORACLE_WORTHS = [20, 40, 150, 300, 600];
const FIXED_MINUTES = [1, 5, 10, 20, 60];

/** The policy at several exchange rates, and what it is compared with. */
export function frontier(load: Load, startMs: number): { ours: readonly Point[]; others: readonly Point[] } {
  const base = replay(load, { keepAlive: { fixedMs: 600_000 }, announce: false, startMs });
  const point = (name: string, { cold, idleMbSeconds }: { cold: number; idleMbSeconds: number }): Point => ({
    name,
    cold: cold / base.cold,
    idle: idleMbSeconds / base.idleMbSeconds,
  });
  const ours = RATES.map((rate) => point(`worth × ${rate}`, atRate(load, startMs, rate)));
  const others = FIXED_MINUTES.map((minutes) =>
    point(`fixed ${minutes} min`, replay(load, { keepAlive: { fixedMs: minutes * 60_000 }, announce: false, startMs })),
  );
  return { ours, others: [...others, point('Knative KPA', replayKpa(load, startMs))] };
}

function atRate(load: Load, startMs: number, rate: number): { cold: number; idleMbSeconds: number } {
  const keepAlive = { ...KEEP_ALIVE_DEFAULTS, warmCallWorth: KEEP_ALIVE_DEFAULTS.warmCallWorth * rate };
  return replay(load, { keepAlive: 'learnt', announce: true, startMs, settings: { keepAlive } });
}

/** What somebody could do who knows every next call: the same axes. */
export function oraclePoints(load: Load, startMs: number): readonly Point[] {
  const base = replay(load, { keepAlive: { fixedMs: 600_000 }, announce: false, startMs });
  const known = oracle(load);
  const point = (name: string, { cold, idleMbSeconds }: { cold: number; idleMbSeconds: number }): Point => ({
    name,
    cold: cold / base.cold,
    idle: idleMbSeconds / base.idleMbSeconds,
  });
  return [
    ...ORACLE_WORTHS.map((worth) => point(`keeps or ends, worth ${worth} GB·s`, known.keeping(worth * 1e6))),
    point('starts ahead', known.startingAhead(1_400, 5_000)),
    point('first calls of functions', { cold: known.firstCalls, idleMbSeconds: 0 }),
  ];
}

/** The points of `ours` that have fewer cold starts and less idle memory than `other`. */
export function beating(ours: readonly Point[], other: Point): readonly Point[] {
  return ours.filter((point) => point.cold < other.cold && point.idle < other.idle);
}

/** What was decided on a part of a load and what came of it on the rest. */
export interface Validation {
  readonly name: string;
  readonly rate: number;
  readonly training: Point;
  readonly test: Point;
}

/** Rates that the choice is made from, from the one that holds least memory on. */
const CHOICE = [1 / 8, 1 / 4, 1 / 2, 1 / Math.SQRT2, 1, Math.SQRT2, 2, 4];

/**
 * Chooses the exchange rate on one load, the least that brings cold starts to `goal` of fixed ten minutes there, and tells what
 * it does on another that had no say.
 */
export function validate(name: string, training: Load, test: Load, startMs: number, goal: number): Validation {
  const on = (load: Load, rate: number): Point => {
    const base = replay(load, { keepAlive: { fixedMs: 600_000 }, announce: false, startMs });
    const ours = atRate(load, startMs, rate);
    return { name, cold: ours.cold / base.cold, idle: ours.idleMbSeconds / base.idleMbSeconds };
  };
  let rate = CHOICE[0] ?? 1;
  let trained = on(training, rate);
  for (const next of CHOICE.slice(1)) {
    if (trained.cold <= goal) break;
    rate = next;
    trained = on(training, rate);
  }
  return { name, rate, training: trained, test: on(test, rate) };
}

const WIDTH = 900;
const HEIGHT = 340;
const LEFT = 60;
const BOTTOM = 46;
const TOP = 34;
const MOST_IDLE = 1.5;
const DECADES = [0.1, 1, 10];

/** Cold starts (logarithmic) over idle memory as an SVG document: the policy a line, the others points. */
export function plotFrontier(title: string, ours: readonly Point[], others: readonly Point[]): string {
  const x = (idle: number): number => LEFT + (idle / MOST_IDLE) * (WIDTH - LEFT - 20);
  const y = (cold: number): number => TOP + ((1.1 - Math.log10(cold)) / 2.1) * (HEIGHT - BOTTOM - TOP);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${LEFT}" y="18" font-weight="bold">${title}</text>`,
    `<text x="${WIDTH - 20}" y="${HEIGHT - 8}" text-anchor="end">idle memory ÷ fixed 10 min</text>`,
    `<text x="${LEFT}" y="${HEIGHT - 8}">cold starts ÷ fixed 10 min (logarithmic)</text>`,
  ];
  for (const cold of DECADES.flatMap((decade) => [decade, decade * 3])) {
    if (cold > 12) continue;
    const at = y(cold).toFixed(1);
    parts.push(
      `<line x1="${LEFT}" x2="${WIDTH - 20}" y1="${at}" y2="${at}" stroke="#ddd"/>`,
      `<text x="${LEFT - 6}" y="${(y(cold) + 4).toFixed(1)}" text-anchor="end">${Number(cold.toFixed(1))}</text>`,
    );
  }
  for (let idle = 0; idle <= MOST_IDLE; idle += 0.25) {
    parts.push(
      `<text x="${x(idle).toFixed(1)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${Number(idle.toFixed(2))}</text>`,
    );
  }
  const line = ours.map((point) => `${x(point.idle).toFixed(1)},${y(point.cold).toFixed(1)}`).join(' ');
  parts.push(`<polyline fill="none" stroke="#1f77b4" stroke-width="1.6" points="${line}"/>`);
  const dot = (point: Point, colour: string): string =>
    `<circle cx="${x(point.idle).toFixed(1)}" cy="${y(point.cold).toFixed(1)}" r="3.5" fill="${colour}"/>` +
    `<text x="${(x(point.idle) + 7).toFixed(1)}" y="${(y(point.cold) - 5).toFixed(1)}" fill="${colour}">${point.name}</text>`;
  parts.push(...ours.map((point) => dot(point, '#1f77b4')), ...others.map((point) => dot(point, '#d62728')), '</svg>');
  return `${parts.join('\n')}\n`;
}
