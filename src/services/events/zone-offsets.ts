import { LRUCache } from 'lru-cache';

const DAY_MS = 86_400_000;
const STRETCH_MS = 8 * DAY_MS;

/** What was found out about a stretch of time in a zone; null: its offset changes there. */
const known = new LRUCache<string, { readonly offsetMs: number | null }>({ max: 20_000 });
const formatters = new LRUCache<string, Intl.DateTimeFormat>({ max: 500 });

/**
 * How far the zone's clocks are ahead of UTC around `at` (wall-clock milliseconds), in milliseconds; undefined when they are
 * changed within a day of it, so that the offset alone does not tell what the wall clock shows.
 */
export function steadyOffset(timeZone: string, at: number): number | undefined {
  const stretch = Math.floor(at / STRETCH_MS);
  const key = `${stretch} ${timeZone}`;
  let found = known.get(key);
  if (found === undefined) {
    found = { offsetMs: offsetOfStretch(timeZone, stretch * STRETCH_MS) };
    known.set(key, found);
  }
  return found.offsetMs ?? undefined;
}

/** Clocks are changed at most once within a day: looking once a day finds every change. */
function offsetOfStretch(timeZone: string, start: number): number | null {
  const offset = offsetAt(timeZone, start - DAY_MS);
  for (let at = start; at <= start + STRETCH_MS + DAY_MS; at += DAY_MS) {
    if (offsetAt(timeZone, at) !== offset) return null;
  }
  return offset;
}

function offsetAt(timeZone: string, at: number): number {
  let formatter = formatters.get(timeZone);
  if (formatter === undefined) {
    const numeric = '2-digit';
    const time = { hour: numeric, minute: numeric, second: numeric, hourCycle: 'h23' } as const;
    const date = { year: 'numeric', month: numeric, day: numeric } as const;
    formatter = new Intl.DateTimeFormat('en-US', { timeZone, ...date, ...time });
    formatters.set(timeZone, formatter);
  }
  const parts: Record<string, number> = {};
  for (const { type, value } of formatter.formatToParts(at)) parts[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1000) * 1000;
}
