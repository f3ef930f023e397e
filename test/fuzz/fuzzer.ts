import { dictionaryOf, drawerOf, mutate } from './mutator.ts';
import { type FuzzTarget, isRefusal } from './target.ts';

/** What a target did with an input that it may not do. */
export class FuzzFinding extends Error {
  override readonly name = 'FuzzFinding';

  constructor(target: string, what: string, input: Buffer, cause: unknown) {
    super(`${target}: ${what}; input (base64): ${input.toString('base64')}`, { cause });
  }
}

export interface FuzzReport {
  readonly runs: number;
  readonly refused: number;
  /** Of the longest run: CPU time, milliseconds. */
  readonly longestMs: number;
}

/** CPU time that one input of at most 16 KB may take, and memory that it may hold. */
const MAX_RUN_MS = 400;
const MAX_HELD_BYTES = 128 * 1024 * 1024;
/** The corpus grows by inputs that were taken, up to so many. */
const MAX_CORPUS = 256;

/**
 * Feeds mutated seeds until `enough` says so; the same inputs for the same seed and number of runs. Throws FuzzFinding for an
 * unexpected exception, an input that takes too long, one that takes too much memory, or a changed prototype.
 */
export async function fuzz(target: FuzzTarget, seed: number, enough: (runs: number) => boolean): Promise<FuzzReport> {
  const draw = drawerOf(seed);
  const corpus: Buffer[] = target.seeds.map((text) => Buffer.from(text, 'latin1'));
  const words = dictionaryOf(target.seeds, target.words ?? []);
  const first = corpus.length;
  const pick = (): Buffer => corpus[draw(corpus.length)] ?? Buffer.alloc(0);
  let [runs, refused, longestMs] = [0, 0, 0];
  for (; runs < first || !enough(runs); runs++) {
    const input = runs < first ? (corpus[runs] ?? Buffer.alloc(0)) : mutate(pick(), pick(), words, draw);
    const { taken, ms } = await once(target, input);
    longestMs = Math.max(longestMs, ms);
    if (!taken) refused++;
    else if (runs >= first && corpus.length < MAX_CORPUS) corpus.push(input);
    else if (runs >= first && draw(16) === 0) corpus[first + draw(corpus.length - first)] = input;
  }
  return { runs, refused, longestMs };
}

async function once(target: FuzzTarget, input: Buffer): Promise<{ taken: boolean; ms: number }> {
  const copy = Buffer.from(input);
  const memory = process.memoryUsage();
  const cpu = process.cpuUsage();
  let taken = true;
  try {
    await target.run(copy);
  } catch (error) {
    if (!isRefusal(target, error)) throw new FuzzFinding(target.name, `threw ${String(error)}`, input, error);
    taken = false;
  }
  const used = process.cpuUsage(cpu);
  const ms = (used.user + used.system) / 1000;
  const after = process.memoryUsage();
  const held = after.heapUsed + after.external - memory.heapUsed - memory.external;
  if (ms > MAX_RUN_MS) throw new FuzzFinding(target.name, `took ${ms.toFixed(0)} ms`, input, undefined);
  if (held > MAX_HELD_BYTES) throw new FuzzFinding(target.name, `holds ${held} bytes`, input, undefined);
  const added = Object.keys(Object.prototype);
  if (added.length > 0) throw new FuzzFinding(target.name, `Object.prototype got ${added.join()}`, input, undefined);
  return { taken, ms };
}
