import { fstatSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { readAll } from '../api/exchange.ts';
import { fcPath } from '../api/fc-client.ts';
import type { Context } from '../context.ts';
import { EXIT, usage } from '../failure.ts';

export interface InvokeOptions {
  readonly event?: string;
  readonly file?: string;
  readonly async?: boolean;
  readonly qualifier?: string;
  readonly log?: boolean;
}

/** `tidemill invoke`: payload to stdout, log to stderr, exit code 1 when the function failed. */
export async function invoke(context: Context, name: string, options: InvokeOptions): Promise<number> {
  const { async: asynchronous = false, qualifier, log = false } = options;
  const bytes = await payloadOf(options);
  const headers: Record<string, string> = {};
  if (asynchronous) headers['x-fc-invocation-type'] = 'Async';
  if (log && !asynchronous) headers['x-fc-log-type'] = 'Tail';
  const answer = await context.client.open('InvokeFunction', 'POST', fcPath`/functions/${name}/invocations`, {
    bytes,
    headers,
    query: { qualifier },
  });
  const header = (field: string): string | undefined => {
    const value = answer.headers[field];
    return typeof value === 'string' ? value : undefined;
  };
  const requestId = header('x-fc-request-id');
  const payload = await readAll(answer);
  if (asynchronous) {
    const taskId = header('x-fc-async-task-id');
    context.output.answer(
      { accepted: true, requestId, taskId },
      () => `accepted as ${requestId}; follow it: tidemill logs ${name} --request-id ${requestId} -f`,
    );
    return EXIT.ok;
  }
  const errorType = header('x-fc-error-type');
  const encoded = header('x-fc-log-result');
  const tail = encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8');
  if (context.output.json) {
    const number = (field: string): number | undefined =>
      header(field) === undefined ? undefined : Number(header(field));
    const text = payload.toString('utf8');
    const value = {
      requestId,
      errorType,
      ...(Buffer.from(text, 'utf8').equals(payload)
        ? { payload: text }
        : { payloadBase64: payload.toString('base64') }),
      log: tail,
      instanceId: header('x-fc-instance-id'),
      versionId: header('x-fc-invocation-function-version'),
      durationMs: number('x-fc-invocation-duration'),
      maxMemoryMb: number('x-fc-max-memory-usage'),
    };
    context.output.answer(value, () => '');
  } else {
    if (tail !== undefined) context.output.note(tail.replaceAll('\r\n', '\n'));
    process.stdout.write(payload);
    if (process.stdout.isTTY && payload.at(-1) !== 0x0a) process.stdout.write('\n');
    if (errorType !== undefined) {
      context.output.note(
        `tidemill: the function failed: ${errorType}\n  request:  ${requestId}\n  to do:    tidemill logs ${name} --request-id ${requestId}`,
      );
    }
  }
  return errorType === undefined ? EXIT.ok : EXIT.failed;
}

async function payloadOf({ event, file }: InvokeOptions): Promise<Uint8Array> {
  if (event !== undefined && file !== undefined) throw usage('give -e or -f, not both');
  if (event !== undefined) return Buffer.from(event);
  if (file !== undefined && file !== '-') {
    return readFile(file).catch((error: Error) => {
      throw usage(`cannot read ${file}: ${error.message}`);
    });
  }
  return file === '-' || isPiped() ? standardInput() : new Uint8Array();
}

/** A shell's pipe or redirection; other programs that start us often leave an idle socket there, which must not be waited for. */
function isPiped(): boolean {
  try {
    const stats = fstatSync(0);
    return stats.isFIFO() || stats.isFile();
  } catch {
    return false; // closed
  }
}

async function standardInput(): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
