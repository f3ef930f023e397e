import { LIMITS } from './limits.ts';

/** When a chain of calls is taken for a loop. `Infinity`: never. */
export interface LoopLimits {
  /** Invocations in a row before the next one is not run. */
  readonly maxHops: number;
  /** Invocations within a minute that may descend from one first request. */
  readonly descendantsPerMinute: number;
}

export const LOOP_DEFAULTS: LoopLimits = {
  maxHops: LIMITS.hopsDefault,
  descendantsPerMinute: LIMITS.descendantsPerMinute,
};

/** Environment variables of a function that set its own limits: every client of the field can write them. */
export const LOOP_VARIABLES = {
  maxHops: 'TIDEMILL_MAX_HOPS',
  descendantsPerMinute: 'TIDEMILL_MAX_DESCENDANTS_PER_MINUTE',
} as const;

/** What a value of such a variable means: a whole number from 1, or `unlimited`; undefined: neither. */
export function parseLoopLimit(text: string): number | undefined {
  if (text === 'unlimited') return Number.POSITIVE_INFINITY;
  return /^[1-9]\d{0,5}$/.test(text) ? Number(text) : undefined;
}

/** The limits of one function: its own where it sets them, else those of the installation. */
export function loopLimitsOf(environment: Readonly<Record<string, string>>, defaults: LoopLimits): LoopLimits {
  const own = (name: keyof LoopLimits): number => {
    const text = environment[LOOP_VARIABLES[name]];
    return (text === undefined ? undefined : parseLoopLimit(text)) ?? defaults[name];
  };
  return { maxHops: own('maxHops'), descendantsPerMinute: own('descendantsPerMinute') };
}
