import type { Fact, LoopStopped } from '../../../core/domain/fact.ts';
import type { InvocationTimings } from '../../../core/domain/invocation.ts';
import { chainText } from '../../../core/domain/lineage.ts';
import { fcPath, opsPath } from '../api/fc-client.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../failure.ts';
import { durationText } from '../terminal/text.ts';
import { timeOf } from '../terminal/time.ts';

export interface LogsOptions {
  readonly follow?: boolean;
  readonly requestId?: string;
  readonly since?: string;
  readonly limit?: number;
}

/** `tidemill logs`: what a function wrote and what happened to it, oldest first. */
export async function logs(context: Context, name: string, options: LogsOptions): Promise<number> {
  const { follow = false, requestId, limit } = options;
  // Facts outlive their function, so an unknown name would only show an empty log.
  if (follow) await context.client.call('GetFunction', 'GET', fcPath`/functions/${name}`);
  const end = new AbortController();
  if (follow) for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => end.abort());
  const facts = context.client.lines<Fact>('ReadLogs', opsPath`/functions/${name}/logs`, {
    query: {
      follow: follow ? 'true' : undefined,
      requestId,
      since: timeOf('--since', options.since),
      limit: limit === undefined ? undefined : String(limit),
    },
    signal: end.signal,
  });
  let count = 0;
  for await (const fact of facts) {
    count++;
    context.output.item(fact, () => factLine(fact));
  }
  if (count === 0 && !follow) context.output.note(`there are no log lines of ${name} for this`);
  return EXIT.ok;
}

/** One fact for people; output lines carry the last part of their request id so that calls can be told apart. */
export function factLine(fact: Fact): string {
  const at = new Date(fact.at).toISOString().slice(11, 23);
  const line = (id: string, text: string): string => `${at}  ${id.slice(-12).padEnd(12)}  ${text}`;
  switch (fact.type) {
    case 'output-written':
      return withoutOwnStamp(fact.text, fact.requestId)
        .split('\n')
        .map((text) => line(fact.requestId, text))
        .join('\n');
    case 'invocation-settled': {
      const outcome = fact.errorType === undefined ? 'done' : `FAILED ${fact.errorType}: ${fact.errorMessage ?? ''}`;
      const cold = fact.timings.cold ? `, ${coldText(fact.timings)}` : '';
      return line(
        fact.requestId,
        `-- ${outcome} (${durationText(fact.durationMs)}, ${Math.round(fact.maxMemoryMb)} MB${cold})`,
      );
    }
    case 'event-accepted':
      return line(fact.requestId, '-- event accepted');
    case 'event-ended':
      return line(
        fact.requestId,
        `-- event ${fact.state} after ${fact.attempts} attempts${fact.message === '' ? '' : `: ${fact.message}`}`,
      );
    case 'loop-stopped':
      return line(fact.requestId, `-- ${stoppedText(fact)}`);
    case 'delivery-ended':
      return line(
        fact.requestId,
        `-- delivery ${fact.state} to ${fact.destination}${fact.message === '' ? '' : `: ${fact.message}`}`,
      );
    case 'exec-opened':
      return line(fact.requestId, `-- session opened in ${fact.instanceId}: ${fact.command.join(' ')}`);
    case 'instance-started':
      return line(fact.instanceId, `-- instance started from ${fact.from} in ${durationText(fact.startMs)}`);
    case 'instance-gone':
      return line(fact.instanceId, `-- instance gone: ${fact.reason}`);
  }
}

function stoppedText({ reason, limit, lineage }: LoopStopped): string {
  if (reason === 'rate') return `LOOP SLOWED: more than ${limit} descendants of ${lineage.rootRequestId} in a minute`;
  return `LOOP STOPPED at ${lineage.hops} hops, the limit is ${limit}: ${chainText(lineage)}`;
}

/** Loggers of the runtimes write time and request id themselves: once a line is enough. */
function withoutOwnStamp(text: string, requestId: string): string {
  const stamp = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?Z? (\S+) /gm;
  return text.replace(stamp, (all, id: string) => (id === requestId ? '' : all));
}

/** `cold start, first call: queued 0 placed 1 sandbox 2 runtime 0 code 3 initializer 0 ms`. */
function coldText(timings: InvocationTimings): string {
  const { queuedMs, placedMs, sandboxMs, runtimeMs, codeMs, initializerMs, reason } = timings;
  const phases = { queued: queuedMs, placed: placedMs ?? 0, sandbox: sandboxMs, runtime: runtimeMs, code: codeMs };
  const text = Object.entries({ ...phases, initializer: initializerMs })
    .map(([name, ms]) => `${name} ${Math.round(ms)}`)
    .join(' ');
  return `cold start${reason === undefined ? '' : `, ${reason}`}: ${text} ms`;
}
