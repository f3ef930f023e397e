import { buffer } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { FcClient, fcPath } from '../api/fc-client.ts';
import { readAll } from '../api/exchange.ts';
import { ObjectsClient } from '../api/objects-client.ts';
import { Failure } from '../failure.ts';
import { BUCKET, CUSTOM, deployFunction, MAX_RETRIES, WORKER } from './functions.ts';
import type { HistoryEntry, Told } from './history.ts';
import type { Subject } from './subject.ts';

/** Objects that are written again and again. */
const KEYS = 12;
const PATIENCE_MS = 60_000;
/** Of the events, so many are for the worker that is a program of its own. */
const CUSTOM_SHARE = 0.25;
/** And of those of each worker, so many take up to some seconds: long enough to outlive a server. */
const LONG_SHARE = { [WORKER]: 0.05, [CUSTOM]: 0.3 };

export interface WorkloadOptions {
  readonly subject: Subject;
  readonly random: () => number;
  readonly witness: string;
  readonly history: HistoryEntry[];
  /** False: the round is over, begin nothing more. */
  readonly running: () => boolean;
}

/** A seeded mix of what users do; everything they were told goes into the history. */
export class Workload {
  private readonly options: WorkloadOptions;
  private count = 0;
  private generation = 1;
  /** Writes of one key follow each other, so that the last one is known. */
  private readonly writing = new Set<string>();

  constructor(options: WorkloadOptions) {
    this.options = options;
  }

  /** Several users at once, until the round is over. */
  async run(): Promise<void> {
    const users = [
      ...Array.from({ length: 4 }, () => this.again(() => this.sendEvent(), 250)),
      ...Array.from({ length: 3 }, () => this.again(() => this.call(), 100)),
      this.again(() => this.writeObject(), 60),
      this.again(() => this.writeObject(), 60),
      this.again(() => this.deploy(), 4_000),
    ];
    await Promise.all(users);
  }

  private async again(step: () => Promise<void>, restMs: number): Promise<void> {
    const { running, random } = this.options;
    while (running()) {
      await step();
      await pause(restMs * 2 * random());
    }
  }

  private get client(): FcClient {
    return new FcClient(this.options.subject.connection);
  }

  private async sendEvent(): Promise<void> {
    const { random, history } = this.options;
    const id = `event-${this.count++}`;
    // Some fail once or twice, few for good; most take a moment, few take long.
    const failures = random() < 0.15 ? 1 + Math.floor(random() * (MAX_RETRIES + 2)) : 0;
    const functionName = random() < CUSTOM_SHARE ? CUSTOM : WORKER;
    const ms = Math.round(random() < LONG_SHARE[functionName] ? random() * 4_000 : random() * 60);
    const headers: Record<string, string> = { 'x-fc-invocation-type': 'Async', 'x-fc-async-task-id': id };
    if (random() < 0.05) headers['x-fc-async-delay'] = '2';
    const at = performance.now();
    let requestId: string | undefined;
    const told = await outcome(async (signal) => {
      const answer = await this.client.open('InvokeFunction', 'POST', fcPath`/functions/${functionName}/invocations`, {
        bytes: Buffer.from(JSON.stringify({ id, ms, failures })),
        headers,
        signal,
      });
      await readAll(answer);
      requestId = String(answer.headers['x-fc-request-id']);
    });
    history.push({
      kind: 'event',
      at,
      id,
      told: told.told,
      functionName,
      failures,
      ...(requestId === undefined ? {} : { requestId }),
    });
  }

  private async call(): Promise<void> {
    const { random, history } = this.options;
    const id = `call-${this.count++}`;
    const at = performance.now();
    let answered: string | undefined;
    const { told, message } = await outcome(async (signal) => {
      const answer = await this.client.open('InvokeFunction', 'POST', fcPath`/functions/${WORKER}/invocations`, {
        bytes: Buffer.from(JSON.stringify({ id, ms: Math.round(random() * 40) })),
        signal,
      });
      const text = (await readAll(answer)).toString();
      if (answer.headers['x-fc-error-type'] !== undefined) throw new Ended(text);
      answered = (JSON.parse(text) as { id: string }).id;
    });
    const extra = { ...(answered === undefined ? {} : { answered }), ...(message === undefined ? {} : { message }) };
    history.push({ kind: 'call', at, id, told, ...extra });
  }

  private async writeObject(): Promise<void> {
    const { random, history, subject } = this.options;
    const key = `object-${Math.floor(random() * KEYS)}`;
    if (this.writing.has(key)) return;
    this.writing.add(key);
    const text = `${key} ${this.count++} ${'x'.repeat(Math.floor(random() * 20_000))}`;
    const at = performance.now();
    const { told } = await outcome(async () => {
      await new ObjectsClient(subject.connection).put(BUCKET, key, Buffer.from(text), text.length, 'text/plain');
    });
    history.push({ kind: 'object', at, key, text, told });
    this.writing.delete(key);
  }

  private async deploy(): Promise<void> {
    const { history, witness } = this.options;
    const generation = ++this.generation;
    const at = performance.now();
    const { told } = await outcome(() => deployFunction(this.client, WORKER, { witness, generation, create: false }));
    history.push({ kind: 'deploy', at, generation, told });
  }

  /** Objects as they are now, by key. */
  static async objects(subject: Subject): Promise<ReadonlyMap<string, string>> {
    const store = new ObjectsClient(subject.connection);
    const found = new Map<string, string>();
    for await (const page of store.list(BUCKET, '')) {
      for (const { key } of page.objects) found.set(key, (await buffer(await store.get(BUCKET, key))).toString());
    }
    return found;
  }
}

/** The function failed: the call is over and known to be. */
class Ended extends Error {}

/** What the caller knows after the attempt. Only an error that lays the fault elsewhere says that nothing was done. */
async function outcome(
  attempt: (signal: AbortSignal) => Promise<void>,
): Promise<{ readonly told: Told; readonly message?: string }> {
  try {
    await attempt(AbortSignal.timeout(PATIENCE_MS));
    return { told: 'ok' };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof Ended) return { told: 'refused', message };
    if (!(error instanceof Failure) || error.culprit === 'platform') return { told: 'unknown', message };
    return { told: 'refused', message };
  }
}
