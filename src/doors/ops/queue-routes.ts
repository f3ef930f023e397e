import type { ServerResponse } from 'node:http';
import { TidemillError } from '../../core/domain/errors.ts';
import type { LetterSelection } from '../../core/ports/dead-letters.ts';
import type { Query } from '../wire/query.ts';
import type { OpenDoorDeps } from './door.ts';
import { type FunctionRequest, type FunctionRoute, limitOf, sendJson, timeOf } from './function-routes.ts';

const FILTERS = ['function', 'state', 'since', 'until', 'text'];
const SELECTION = ['number', 'all', ...FILTERS];
const MAX_QUEUES = 1_000;

/** Signed routes about accepted events and dead letters, below `/tidemill/v1`. */
export const queueRoutes: readonly FunctionRoute[] = [
  { method: 'GET', path: '/queue', query: ['function'], action: 'fc:ListQueues', about: 'function', run: queue },
  {
    method: 'GET',
    path: '/dead-letters',
    query: [...FILTERS, 'before', 'limit'],
    action: 'fc:ListDeadLetters',
    about: 'function',
    run: list,
  },
  { method: 'GET', path: '/dead-letters/:name', query: [], action: 'fc:GetDeadLetter', about: 'found', run: show },
  {
    method: 'POST',
    path: '/dead-letters/redrive',
    query: [...SELECTION, 'qualifier'],
    action: 'fc:RedriveDeadLetters',
    about: 'found',
    run: redrive,
  },
  {
    method: 'POST',
    path: '/dead-letters/delete',
    query: SELECTION,
    action: 'fc:DeleteDeadLetters',
    about: 'found',
    run: remove,
  },
];

/** `{queues: [{function, deliveries, waiting, running, oldestAcceptedAt}]}`: the account's, those that hold most first. */
async function queue(deps: OpenDoorDeps, request: FunctionRequest, res: ServerResponse): Promise<void> {
  const wanted = request.query['function'];
  const prefix = `${request.account}/`;
  const depths = await deps.queue.depths(MAX_QUEUES);
  const queues = depths
    .filter(({ key }) => key.startsWith(prefix))
    .map(({ key, waiting, leased, oldestAcceptedAt }) => {
      const [functionName = '', kind] = key.slice(prefix.length).split('#');
      return { function: functionName, deliveries: kind === 'deliveries', waiting, running: leased, oldestAcceptedAt };
    })
    .filter((each) => wanted === undefined || each.function === wanted);
  sendJson(res, request, { queues });
}

/** `{letters: [...]}`, newest first; `before` continues after the last number given. */
async function list(deps: OpenDoorDeps, request: FunctionRequest, res: ServerResponse): Promise<void> {
  const { account, query } = request;
  const before = query['before'];
  const letters = await deps.letters.list({
    account,
    ...filterOf(query),
    ...(before === undefined ? {} : { before: numberOf(before) }),
    limit: limitOf(query, 20),
  });
  sendJson(res, request, { letters });
}

/** `{letter, headers, payload}`: the payload in base64. */
async function show(deps: OpenDoorDeps, request: FunctionRequest, res: ServerResponse): Promise<void> {
  const { letter, headers, payload } = await deps.letters.get(request.account, numberOf(request.name));
  request.check(letter.functionName);
  sendJson(res, request, { letter, headers, payload: Buffer.from(payload).toString('base64') });
}

async function redrive(deps: OpenDoorDeps, request: FunctionRequest, res: ServerResponse): Promise<void> {
  const { account, query } = request;
  const qualifier = query['qualifier'] === '' ? undefined : query['qualifier'];
  sendJson(res, request, { redriven: await deps.letters.redrive(account, await selected(deps, request), qualifier) });
}

async function remove(deps: OpenDoorDeps, request: FunctionRequest, res: ServerResponse): Promise<void> {
  sendJson(res, request, { deleted: await deps.letters.remove(request.account, await selected(deps, request)) });
}

/** What is selected, once the caller may do this with the function that it is about: a letter's own, the filter's, or all. */
async function selected(deps: OpenDoorDeps, request: FunctionRequest): Promise<LetterSelection> {
  const selection = selectionOf(request.query);
  if ('number' in selection) {
    const { letter } = await deps.letters.get(request.account, selection.number);
    request.check(letter.functionName);
  } else request.check(selection.functionName ?? '*');
  return selection;
}

/** `number`, or filters, or `all=true`: nothing at all would be everything by mistake. */
function selectionOf(query: Query): LetterSelection {
  const { number, all } = query;
  const filter = filterOf(query);
  const filtered = Object.keys(filter).length > 0;
  if (number !== undefined && !filtered && all === undefined) return { number: numberOf(number) };
  if (number === undefined && (filtered || all === 'true')) return filter;
  throw new TidemillError('InvalidArgument', 'Which dead letters is not clear', {
    remedy: `Send either number, or some of ${FILTERS.join(', ')}, or all=true.`,
  });
}

function filterOf(query: Query): Exclude<LetterSelection, { readonly number: number }> {
  const { function: functionName, state, since, until, text } = query;
  return {
    ...(functionName === undefined ? {} : { functionName }),
    ...(state === undefined ? {} : { state }),
    ...(since === undefined ? {} : { since: timeOf('since', since) }),
    ...(until === undefined ? {} : { until: timeOf('until', until) }),
    ...(text === undefined ? {} : { text }),
  };
}

function numberOf(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new TidemillError('InvalidArgument', `'${text.slice(0, 40)}' is no number of a dead letter`);
}
