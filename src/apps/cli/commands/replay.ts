import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ReplayCase } from '../../../core/domain/replay.ts';
import { readAll } from '../api/exchange.ts';
import { fcPath, opsPath } from '../api/fc-client.ts';
import type { Context } from '../context.ts';
import { EXIT, Failure, usage } from '../failure.ts';
import { converse } from '../replay/conversation.ts';
import { listeningSocket } from '../replay/listening-socket.ts';
import { replayLoad } from '../replay/load.ts';
import { runnerOf, startRunner, stopRunner } from '../replay/runner.ts';
import { unpack } from '../replay/unpack.ts';

export interface ReplayOptions {
  readonly function?: string;
  readonly version?: string;
  readonly alias?: string;
  readonly event?: string;
  readonly file?: string;
  /** False for `--no-debug`. */
  readonly debug: boolean;
}

interface Outcome {
  readonly failed: boolean;
  readonly payload: Buffer;
  readonly log: string;
}

/** `tidemill replay`: a failed invocation once more, here or on the server. Exit code 1 when it fails again. */
export async function replay(context: Context, id: string, options: ReplayOptions): Promise<number> {
  const { version, alias } = options;
  if (version !== undefined && alias !== undefined) throw usage('give --version or --alias, not both');
  const what = await find(context, id, options.function);
  const payload = await payloadOf(what, options);
  const qualifier = version ?? alias;
  const outcome =
    qualifier === undefined
      ? await here(context, what, payload, options.debug)
      : await onServer(context, what, payload, qualifier);
  const { failed } = outcome;
  const text = outcome.payload.toString('utf8');
  const { requestId, functionName, codeDigest, configOfThen, errorMessage } = what;
  const where = qualifier === undefined ? { codeDigest, configOfThen } : { qualifier };
  context.output.answer(
    { requestId, functionName, ...where, errorThen: errorMessage, failed, payload: text, log: outcome.log },
    () => text,
  );
  context.output.note(failed ? `it failed again; then: ${errorMessage}` : `it succeeded; then: ${errorMessage}`);
  return failed ? EXIT.failed : EXIT.ok;
}

/** By number or request id; without `--function`, every function's log is asked for a request id that no dead letter has. */
async function find(context: Context, id: string, name: string | undefined): Promise<ReplayCase> {
  const ask = (functionName: string | undefined): Promise<ReplayCase | undefined> =>
    context.client.find<ReplayCase>(['InvocationNotFound'], 'GetReplay', 'GET', opsPath`/replays/${id}`, {
      query: { function: functionName },
    });
  const found = await ask(name);
  if (found !== undefined) return found;
  if (name === undefined) {
    const functions = context.client.pages<{ functionName: string }>('ListFunctions', fcPath`/functions`, 'functions');
    for await (const { functionName } of functions) {
      const there = await ask(functionName);
      if (there !== undefined) return there;
    }
  }
  throw new Failure(EXIT.failed, `there is no failed invocation '${id}'`, {
    code: 'InvocationNotFound',
    culprit: 'caller',
    remedy: 'Give the request id of a failed call, or the number of a dead letter.',
  });
}

async function payloadOf(what: ReplayCase, { event, file }: ReplayOptions): Promise<Uint8Array> {
  if (event !== undefined && file !== undefined) throw usage('give -e or -f, not both');
  if (event !== undefined) return Buffer.from(event);
  if (file !== undefined) {
    return readFile(file).catch((error: Error) => {
      throw usage(`cannot read ${file}: ${error.message}`);
    });
  }
  if (what.http) {
    throw impossible('this call was an HTTP request, which cannot be replayed', 'Redrive its dead letter: -q VERSION.');
  }
  if (what.payload !== undefined) return Buffer.from(what.payload, 'base64');
  throw impossible(
    'the payload of this call was not kept: it was too long, one of too many, too long ago, or this is switched off',
    'Give it yourself: -e TEXT or -f FILE.',
  );
}

async function onServer(context: Context, what: ReplayCase, payload: Uint8Array, qualifier: string): Promise<Outcome> {
  const path = fcPath`/functions/${what.functionName}/invocations`;
  const answer = await context.client.open('InvokeFunction', 'POST', path, {
    bytes: payload,
    headers: { 'x-fc-log-type': 'Tail' },
    query: { qualifier },
  });
  const tail = answer.headers['x-fc-log-result'];
  const log = typeof tail === 'string' ? Buffer.from(tail, 'base64').toString('utf8') : '';
  context.output.note(log);
  return { failed: answer.headers['x-fc-error-type'] !== undefined, payload: await readAll(answer), log };
}

async function here(context: Context, what: ReplayCase, payload: Uint8Array, debug: boolean): Promise<Outcome> {
  const runner = runnerOf(what.config.runtime, debug);
  if (!what.codeKept) {
    throw impossible(
      `the code ${what.codeDigest ?? '(digest unknown)'} that ran is gone: no version of ${what.functionName} holds it`,
      'Publish versions to keep code. Replay it on a version that there is: --version V or --alias A.',
    );
  }
  const { output } = context;
  if (runner.note !== undefined) output.note(runner.note);
  if (!what.configOfThen) output.note(`${what.functionName} was changed since: this is its configuration of now`);
  output.note('outbound traffic was not recorded: whatever the function calls, it really calls again');
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-replay-'));
  try {
    await unpack(await download(context, what, undefined, what.codeDigest ?? ''), join(folder, 'code'));
    for (const { arn, digest } of what.layers) {
      await unpack(await download(context, what, arn, digest), join(folder, 'opt'));
    }
    return await run(context, what, { folder, payload, args: runner.args, debug });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function download(
  context: Context,
  what: ReplayCase,
  layer: string | undefined,
  digest: string,
): Promise<Buffer> {
  const { requestId, functionName } = what;
  const bytes = await readAll(
    await context.client.open('GetReplayPackage', 'GET', opsPath`/replays/${requestId}/package`, {
      query: { function: functionName, layer },
    }),
  );
  const got = createHash('sha256').update(bytes).digest('hex');
  if (got === digest) return bytes;
  throw impossible(
    `the package came as ${got}, but ${digest} ran`,
    'Try again; the connection or the disk is damaged.',
  );
}

async function run(
  context: Context,
  what: ReplayCase,
  parts: {
    readonly folder: string;
    readonly payload: Uint8Array;
    readonly args: readonly string[];
    readonly debug: boolean;
  },
): Promise<Outcome> {
  const { folder, payload, args, debug } = parts;
  const { requestId, qualifier, config } = what;
  const path = join(folder, 's');
  const load = replayLoad(what, folder, context.env['PATH'] ?? '/usr/bin:/bin');
  const socket = listeningSocket(path);
  const child = startRunner(args, socket.fd, { ...load.env });
  socket.close();
  let log = '';
  const end = (): void => void child.kill('SIGKILL');
  // Whoever gives up in the debugger leaves no runtime and no folder behind: its end is the end of the conversation.
  for (const signal of SIGNALS) process.on(signal, end);
  try {
    // A debugger's user takes the time it takes.
    const deadline = debug ? Number.MAX_SAFE_INTEGER : Date.now() + config.timeout * 1_000;
    const answering = converse(path, {
      load,
      header: { r: requestId, e: 1, q: qualifier, n: 0, d: deadline },
      payload,
      onOutput: (text) => {
        log += text;
        context.output.note(text);
      },
    });
    const answer = await (debug ? answering : inTime(answering, config.timeout));
    return { failed: answer.status !== 0, payload: answer.payload, log };
  } catch (error) {
    const errorMessage = error instanceof Error ? error.message : String(error);
    return { failed: true, payload: Buffer.from(JSON.stringify({ errorMessage })), log };
  } finally {
    for (const signal of SIGNALS) process.off(signal, end);
    await stopRunner(child);
  }
}

/** Loading and running may take the function's own timeout, and the initializer's is not more than that of the platform. */
async function inTime<T>(work: Promise<T>, seconds: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`Function timed out after ${seconds} seconds`)),
    (seconds + LOAD_SECONDS) * 1_000,
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** For starting the runtime and loading the code, on top of the function's timeout. */
const LOAD_SECONDS = 10;

function impossible(message: string, remedy: string): Failure {
  return new Failure(EXIT.failed, message, { code: 'ReplayNotPossible', culprit: 'caller', remedy });
}
