import { parseLayerArn } from '../../core/domain/arn.ts';
import { blobId } from '../../core/ports/blob-store.ts';
import type { ServerResponse } from 'node:http';
import { TidemillError } from '../../core/domain/errors.ts';
import type { InvocationSettled } from '../../core/domain/fact.ts';
import type { ReplayCase } from '../../core/domain/replay.ts';
import type { VersionSpec } from '../../core/domain/version-spec.ts';
import { sendStream } from '../wire/answer.ts';
import type { OpenDoorDeps } from './door.ts';
import { type FunctionRequest, type FunctionRoute, sendJson } from './function-routes.ts';

/** Signed routes about failed invocations that are to run again, below `/tidemill/v1`. The name is a request id or a letter's number. */
export const replayRoutes: readonly FunctionRoute[] = [
  { method: 'GET', path: '/replays/:name', query: ['function'], action: 'fc:GetFunction', about: 'found', run: show },
  {
    method: 'GET',
    path: '/replays/:name/package',
    query: ['function', 'layer'],
    action: 'fc:GetFunctionCode',
    about: 'found',
    run: download,
  },
];

/** What is kept of the call. */
interface Kept {
  readonly functionName: string;
  readonly requestId: string;
  readonly qualifier: string;
  readonly message: string;
  readonly payload: Uint8Array;
  readonly http: boolean;
}

/** A `ReplayCase`. */
async function show(deps: OpenDoorDeps, request: FunctionRequest, res: ServerResponse): Promise<void> {
  sendJson(res, request, await caseOf(deps, request));
}

/** The zip of the code that ran, or with `layer` of one of its layers. */
async function download(deps: OpenDoorDeps, request: FunctionRequest, res: ServerResponse): Promise<void> {
  const { codeDigest, layers, functionName, account } = await caseOf(deps, request);
  const arn = request.query['layer'];
  const digest = arn === undefined ? codeDigest : layers.find((layer) => layer.arn === arn)?.digest;
  const layerOwner = arn === undefined ? undefined : parseLayerArn(arn)?.account;
  const owner = layerOwner === undefined || layerOwner === '' ? account : layerOwner;
  const blob = digest === undefined ? undefined : await deps.blobs.open(blobId({ owner, digest }));
  if (blob === undefined) throw gone(functionName, digest ?? arn ?? 'of an unknown digest');
  res.writeHead(200, {
    'content-type': 'application/zip',
    'content-length': blob.size,
    'x-fc-request-id': request.requestId,
  });
  await sendStream(res, blob.body);
}

async function caseOf(deps: OpenDoorDeps, request: FunctionRequest): Promise<ReplayCase> {
  const { account, name, query } = request;
  const letter = await keptInLetter(deps, account, name);
  const kept = letter ?? (await keptOf(deps, account, name, query['function']));
  const functionName = query['function'] ?? kept?.functionName;
  if (functionName === undefined) throw unknown(name);
  request.check(functionName);
  if (kept !== undefined) request.check(kept.functionName);
  const requestId = kept?.requestId ?? name;
  const fact = await failureOf(deps, account, functionName, requestId);
  if (fact === undefined && kept === undefined) throw unknown(name);
  const qualifier = fact?.qualifier ?? kept?.qualifier ?? 'LATEST';
  const spec = await specOf(deps, account, functionName, fact?.versionId ?? qualifier);
  const codeDigest = fact?.codeDigest;
  return {
    requestId,
    account,
    region: deps.region,
    functionName,
    qualifier,
    versionId: fact?.versionId ?? spec.versionId,
    errorMessage: fact?.errorMessage ?? kept?.message ?? '',
    config: spec.config,
    configOfThen: fact?.specKey === spec.key,
    ...(codeDigest === undefined ? {} : { codeDigest }),
    codeKept: codeDigest !== undefined && (await deps.blobs.has(blobId({ owner: account, digest: codeDigest }))),
    layers: spec.layers.map(({ arn, code }) => ({ arn, digest: code.digest })),
    ...(kept === undefined ? {} : { payload: Buffer.from(kept.payload).toString('base64') }),
    http: kept?.http ?? false,
  };
}

/** By number, or by the request id that is in the letter. */
async function keptInLetter(deps: OpenDoorDeps, account: string, name: string): Promise<Kept | undefined> {
  let number = /^\d{1,15}$/.test(name) ? Number(name) : undefined;
  if (number === undefined) {
    const letters = await deps.letters.list({ account, text: name, limit: 100 });
    number = letters.find((each) => each.requestId === name && each.kind === 'invocation')?.number;
  }
  if (number === undefined) return undefined;
  const { letter, headers, payload } = await deps.letters.get(account, number);
  if (letter.kind === 'delivery') {
    throw new TidemillError('ReplayNotPossible', `dead letter ${number} is a result that was not delivered`, {
      remedy: 'Redrive it: there is no failed invocation to run again.',
    });
  }
  const { functionName, requestId, qualifier, message } = letter;
  const http = typeof headers === 'object' && headers !== null && 'http' in headers;
  return { functionName, requestId, qualifier, message, payload, http };
}

/** Of a call that is no dead letter: a task's, by its own id or that of its request, or what was kept when it failed. */
async function keptOf(
  deps: OpenDoorDeps,
  account: string,
  name: string,
  functionName: string | undefined,
): Promise<Kept | undefined> {
  const failed = await deps.failed?.find(account, name, functionName);
  const owner = functionName ?? failed?.functionName;
  if (owner === undefined) return undefined;
  const taskId = (await taskIdOf(deps, account, owner, name)) ?? name;
  const task = await keptInTask(deps, account, owner, taskId);
  if (task !== undefined || failed === undefined) return task;
  const { qualifier, payload } = failed;
  return { functionName: owner, requestId: name, qualifier, message: '', payload, http: false };
}

/** Callers may give tasks ids of their own: the log of calls knows which request that was. */
async function taskIdOf(
  deps: OpenDoorDeps,
  account: string,
  functionName: string,
  requestId: string,
): Promise<string | undefined> {
  const query = { account, functionName, requestId, types: ['event-accepted', 'event-ended'] as const, limit: 1 };
  const [fact] = (await deps.facts.latest(query)).facts;
  return fact !== undefined && 'taskId' in fact ? fact.taskId : undefined;
}

async function keptInTask(
  deps: OpenDoorDeps,
  account: string,
  functionName: string,
  taskId: string,
): Promise<Kept | undefined> {
  try {
    const { task, payload } = await deps.tasks.get(account, functionName, undefined, taskId);
    if (payload === undefined) return undefined;
    const { qualifier } = task;
    return { functionName, requestId: task.requestId, qualifier, message: '', payload, http: false };
  } catch (error) {
    if (error instanceof TidemillError && error.code === 'AsyncTaskNotFound') return undefined;
    throw error;
  }
}

/** The last failure that is known of the call. */
async function failureOf(
  deps: OpenDoorDeps,
  account: string,
  functionName: string,
  requestId: string,
): Promise<InvocationSettled | undefined> {
  const query = { account, functionName, requestId, types: ['invocation-settled'] as const, limit: 10 };
  const { facts } = await deps.facts.latest(query);
  return facts.findLast((fact): fact is InvocationSettled => 'codeDigest' in fact && fact.codeDigest !== undefined);
}

/** The version that ran; when it was deleted, the head: the answer then says that this is not the configuration of then. */
async function specOf(
  deps: OpenDoorDeps,
  account: string,
  functionName: string,
  versionId: string,
): Promise<VersionSpec> {
  const { catalog } = deps;
  const spec =
    (await catalog.spec(account, functionName, versionId)) ?? (await catalog.spec(account, functionName, 'LATEST'));
  if (spec === undefined) throw new TidemillError('FunctionNotFound', `function '${functionName}' does not exist`);
  return spec;
}

function unknown(name: string): TidemillError {
  return new TidemillError('InvocationNotFound', `there is no failed invocation '${name.slice(0, 64)}'`);
}

function gone(functionName: string, digest: string): TidemillError {
  return new TidemillError(
    'ReplayNotPossible',
    `the code ${digest} that ran is gone: '${functionName}' was changed and no version holds it`,
    { remedy: 'Publish versions to keep code. Run it on a version that there is: --version or --alias.' },
  );
}
