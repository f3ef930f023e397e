import type { Load } from './load.ts';

/** What the next call of each level of demand would show to someone who knows it. */
interface Gap {
  readonly memoryMb: number;
  readonly ms: number;
}

/** What somebody who knows every next call could do, in the same units as an Outcome. */
export interface Oracle {
  /** Uses of one instance more than a function ever had at once: nothing was there that could have been kept. */
  readonly firstUses: number;
  /** Of these the first calls of functions. */
  readonly firstCalls: number;
  /** Keeps or ends, never starts ahead: cold starts and MB x seconds when a cold start is worth so much, MB x milliseconds. */
  keeping(worth: number): { cold: number; idleMbSeconds: number };
  /** Starts each instance just `leadMs` ahead unless the gap is shorter than `shortestMs`: only first uses are cold. */
  startingAhead(leadMs: number, shortestMs: number): { cold: number; idleMbSeconds: number };
}

/** Gaps at each level of demand (so many instances busy at once) of each function, with as many instances as there are calls. */
export function oracle(load: Load): Oracle {
  const gaps: Gap[] = [];
  let firstUses = 0;
  let firstCalls = 0;
  for (const [index, { memoryMb }] of load.functions.entries()) {
    const turns = load.calls
      .filter((call) => call.function === index)
      .flatMap(({ at, execMs }) => [
        { at, begins: true },
        { at: at + execMs, begins: false },
      ])
      .sort((a, b) => a.at - b.at || Number(a.begins) - Number(b.begins));
    const ended: number[] = [];
    let busy = 0;
    for (const { at, begins } of turns) {
      if (!begins) {
        ended[--busy] = at;
        continue;
      }
      const since = ended[busy];
      if (since === undefined) {
        firstUses++;
        if (busy === 0) firstCalls++;
      } else {
        gaps.push({ memoryMb, ms: at - since });
      }
      busy++;
    }
  }
  return {
    firstUses,
    firstCalls,
    keeping(worth) {
      const kept = gaps.filter(({ memoryMb, ms }) => memoryMb * ms <= worth);
      return { cold: firstUses + gaps.length - kept.length, idleMbSeconds: sum(kept) };
    },
    startingAhead(leadMs, shortestMs) {
      const held = gaps.map((gap) => (gap.ms > shortestMs ? { ...gap, ms: leadMs } : gap));
      return { cold: firstUses, idleMbSeconds: sum(held) };
    },
  };
}

function sum(gaps: readonly Gap[]): number {
  return gaps.reduce((total, { memoryMb, ms }) => total + (memoryMb * ms) / 1_000, 0);
}
