import { writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { FAULTS, type FaultName, hindrance } from '../chaos/faults.ts';
import { playRound, type RoundResult } from '../chaos/round.ts';
import type { Context } from '../context.ts';
import { EXIT, usage } from '../failure.ts';
import { interrupted } from '../quickstart/platform.ts';

export interface ChaosOptions {
  readonly seed?: number;
  readonly seconds?: number;
  readonly settle?: number;
  readonly faults?: string;
  readonly isolation?: string;
  /** Another build to try: a command line without `up`, split at spaces. */
  readonly program?: string;
  /** Where to write everything that was seen, as JSON. */
  readonly evidence?: string;
}

const DEFAULT_SECONDS = 60;
const DEFAULT_SETTLE_SECONDS = 120;

/** `tidemill chaos`: exit code 1 when a promise was broken. */
export async function chaos(context: Context, options: ChaosOptions): Promise<number> {
  const wanted = faultsOf(options.faults);
  const hindered = wanted.flatMap((fault) => {
    const why = hindrance(fault);
    return why === undefined ? [] : [{ fault, why }];
  });
  const faults = wanted.filter((fault) => !hindered.some((one) => one.fault === fault));
  for (const { fault, why } of hindered) context.output.note(`left out: ${fault}, which ${why}`);
  const end = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => end.abort(interrupted()));
  const result = await playRound({
    signal: end.signal,
    seed: options.seed ?? Math.floor(Math.random() * 1e9),
    seconds: options.seconds ?? DEFAULT_SECONDS,
    settleSeconds: options.settle ?? DEFAULT_SETTLE_SECONDS,
    program: programOf(options.program),
    isolation: options.isolation ?? 'container',
    faults,
    say: (text) => context.output.note(text),
  });
  const { evidence, log, ...summary } = result;
  if (options.evidence !== undefined) {
    writeFileSync(
      options.evidence,
      JSON.stringify({ ...summary, ...evidence, objects: [...evidence.objects], log }, null, 1),
    );
  }
  context.output.answer({ ...summary, leftOut: hindered }, () => textOf(result));
  return result.violations.length === 0 ? EXIT.ok : EXIT.failed;
}

function faultsOf(text: string | undefined): readonly FaultName[] {
  if (text === undefined) return FAULTS;
  const names = text.split(',').filter((name) => name !== '' && name !== 'none');
  for (const name of names) {
    if (!FAULTS.some((fault) => fault === name)) {
      throw usage(`there is no fault '${name}'`, `Choose from: ${FAULTS.join(', ')}; or none.`);
    }
  }
  return FAULTS.filter((fault) => names.includes(fault));
}

/** This same build. */
function programOf(text: string | undefined): readonly string[] {
  if (text !== undefined) return text.split(' ').filter((part) => part !== '');
  const entry = join(import.meta.dirname, `../main${extname(import.meta.filename)}`);
  return [process.execPath, '--disable-warning=ExperimentalWarning', entry];
}

function textOf({ seed, seconds, counts, faults, violations }: RoundResult): string {
  const list = (numbers: Readonly<Record<string, number>>): string =>
    Object.entries(numbers)
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([name, count]) => `  ${String(count).padStart(7)}  ${name}`)
      .join('\n');
  const end =
    violations.length === 0
      ? 'Every promise was kept.'
      : `${violations.length} broken promises (seed ${seed}):\n${violations.map((line) => `  ${line}`).join('\n')}`;
  return `${seconds} s, seed ${seed}\n${list(counts)}\nfaults\n${list(faults)}\n${end}`;
}
