import { setTimeout as pause } from 'node:timers/promises';
import type { Fact } from '../../../core/domain/fact.ts';
import { FcClient, fcPath, opsPath } from '../api/fc-client.ts';
import { readAll } from '../api/exchange.ts';
import { MAX_RETRIES, WORKER } from './functions.ts';
import type { Evidence, HistoryEntry, RecordedEnd, Testimony } from './history.ts';
import type { Subject } from './subject.ts';
import { Workload } from './workload.ts';

const LOOK_MS = 500;

/** Waits until every accepted event has its end (or the time for it is over), then collects what there is to judge by. */
export async function collectEvidence(
  subject: Subject,
  history: readonly HistoryEntry[],
  testimony: readonly Testimony[],
  { settleMs, signal }: { readonly settleMs: number; readonly signal: AbortSignal },
): Promise<Evidence> {
  const client = new FcClient(subject.connection);
  const ends: RecordedEnd[] = [];
  const deadline = performance.now() + settleMs;
  for (const entry of history) {
    if (entry.kind !== 'event' || entry.requestId === undefined) continue;
    let found: RecordedEnd[];
    do {
      found = await endsOf(client, entry.functionName, entry.requestId);
      if (found.length === 0) await pause(LOOK_MS, undefined, { signal });
    } while (found.length === 0 && performance.now() < deadline);
    ends.push(...found);
  }
  await settledDeliveries(ends, testimony, deadline, signal);
  const answer = await client.open('InvokeFunction', 'POST', fcPath`/functions/${WORKER}/invocations`, {
    bytes: Buffer.from(JSON.stringify({ id: 'generation' })),
  });
  const { generation } = JSON.parse((await readAll(answer)).toString()) as { generation: number };
  const objects = await Workload.objects(subject);
  return { history, testimony, ends, objects, generation, maxRetries: MAX_RETRIES, destination: true };
}

/** Uncertain events have no request id that we know: whether they ended is asked by what the witness heard of them only. */
async function endsOf(client: FcClient, functionName: string, requestId: string): Promise<RecordedEnd[]> {
  const ends: RecordedEnd[] = [];
  const runs: string[] = [];
  const query = { requestId, limit: '1000' };
  for await (const fact of client.lines<Fact>('ReadLogs', opsPath`/functions/${functionName}/logs`, { query })) {
    if (fact.type === 'event-ended')
      ends.push({ taskId: fact.taskId, state: fact.state, attempts: fact.attempts, runs });
    if (fact.type === 'invocation-settled') {
      const { instanceId, status, errorMessage = '', durationMs, timings } = fact;
      runs.push(`${instanceId} ${status} ${errorMessage} ${durationMs} ms ${JSON.stringify(timings)}`);
    }
  }
  return ends;
}

async function settledDeliveries(
  ends: readonly RecordedEnd[],
  testimony: readonly Testimony[],
  deadline: number,
  signal: AbortSignal,
): Promise<void> {
  const wanted = new Set(ends.filter(({ state }) => state === 'Succeeded').map(({ taskId }) => taskId));
  for (;;) {
    for (const { what, id } of testimony) if (what === 'delivered') wanted.delete(id);
    if (wanted.size === 0 || performance.now() > deadline) return;
    await pause(LOOK_MS, undefined, { signal });
  }
}
