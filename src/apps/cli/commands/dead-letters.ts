import type { DeadLetter } from '../../../core/domain/dead-letter.ts';
import { opsPath } from '../api/fc-client.ts';
import type { Context } from '../context.ts';
import { EXIT, usage } from '../failure.ts';
import { table } from '../terminal/text.ts';
import { timeOf } from '../terminal/time.ts';

interface Filter {
  readonly function?: string;
  readonly state?: string;
  readonly since?: string;
  readonly until?: string;
  readonly text?: string;
}

interface ListOptions extends Filter {
  readonly limit?: number;
  readonly before?: number;
}

interface SelectOptions extends Filter {
  readonly all?: boolean;
}

type Query = Record<string, string | undefined>;

export async function listLetters(context: Context, options: ListOptions): Promise<number> {
  const { limit, before } = options;
  const query = {
    ...filterOf(options),
    limit: limit === undefined ? undefined : String(limit),
    before: before === undefined ? undefined : String(before),
  };
  const { letters } = await context.client.call<{ readonly letters: readonly DeadLetter[] }>(
    'ListDeadLetters',
    'GET',
    opsPath`/dead-letters`,
    { query },
  );
  context.output.answer({ letters }, () =>
    letters.length === 0
      ? 'there are no such dead letters'
      : table(
          ['NUMBER', 'WHEN', 'FUNCTION', 'WHAT', 'STATE', 'ATTEMPTS', 'REQUEST', 'WHY'],
          letters.map((one) => [
            String(one.number),
            new Date(one.at).toISOString().slice(0, 19),
            one.functionName,
            one.kind,
            one.state,
            String(one.attempts),
            one.requestId,
            one.message.split('\n')[0]?.slice(0, 60) ?? '',
          ]),
        ),
  );
  return EXIT.ok;
}

interface ShownLetter {
  readonly letter: DeadLetter;
  readonly headers: unknown;
  /** Base64. */
  readonly payload: string;
}

export async function showLetter(context: Context, number: string): Promise<number> {
  const shown = await context.client.call<ShownLetter>('GetDeadLetter', 'GET', opsPath`/dead-letters/${number}`);
  context.output.answer(shown, () => {
    const { letter, headers, payload } = shown;
    const lines = Object.entries({ ...letter, headers }).map(
      ([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`,
    );
    return [...lines, `payload: ${Buffer.from(payload, 'base64').toString()}`].join('\n');
  });
  return EXIT.ok;
}

export async function redriveLetters(
  context: Context,
  numbers: readonly string[],
  options: SelectOptions & { readonly qualifier?: string },
): Promise<number> {
  const { qualifier } = options;
  let redriven = 0;
  for (const query of selectionsOf(numbers, options)) {
    const answer = await context.client.call<{ readonly redriven: number }>(
      'RedriveDeadLetters',
      'POST',
      opsPath`/dead-letters/redrive`,
      { query: { ...query, qualifier } },
    );
    redriven += answer.redriven;
  }
  context.output.answer({ redriven }, () => `${redriven} dead letters are accepted again`);
  return EXIT.ok;
}

export async function deleteLetters(
  context: Context,
  numbers: readonly string[],
  options: SelectOptions,
): Promise<number> {
  let deleted = 0;
  for (const query of selectionsOf(numbers, options)) {
    const answer = await context.client.call<{ readonly deleted: number }>(
      'DeleteDeadLetters',
      'POST',
      opsPath`/dead-letters/delete`,
      { query },
    );
    deleted += answer.deleted;
  }
  context.output.answer({ deleted }, () => `${deleted} dead letters are deleted`);
  return EXIT.ok;
}

/** One query per number, or one for the filter. Nothing named at all is refused: it would mean everything. */
function selectionsOf(numbers: readonly string[], options: SelectOptions): readonly Query[] {
  const filter = filterOf(options);
  const filtered = Object.values(filter).some((value) => value !== undefined);
  const ways = [numbers.length > 0, filtered, options.all === true].filter(Boolean).length;
  if (ways !== 1) throw usage('say which dead letters', 'Give numbers, or a filter such as --function, or --all.');
  if (numbers.length > 0) return numbers.map((number) => ({ number }));
  return [options.all === true ? { all: 'true' } : filter];
}

function filterOf({ function: name, state, since, until, text }: Filter): Query {
  return { function: name, state, since: timeOf('--since', since), until: timeOf('--until', until), text };
}
