import type {
  EventEnd,
  EventQueue,
  LeasedEvent,
  LetterTable,
  NewEvent,
  StoredTask,
  TaskTable,
} from '../../core/ports/event-queue.ts';
import type { Vault } from '../../core/ports/vault.ts';
import { SealedBytes } from './sealed-bytes.ts';

/** Member of an event's headers that holds what the caller sent: the head of an HTTP request, credentials and all. */
const SECRET_HEADER = 'http';

/**
 * A queue that keeps what events carry sealed: payloads, results of tasks, and the heads of HTTP requests. Names, times and states stay readable, the
 * queue orders and searches by them.
 */
export function sealQueue(inner: EventQueue, vault: Vault): EventQueue {
  const bytes = new SealedBytes(vault);
  const sealed = (event: NewEvent): NewEvent => ({
    ...event,
    payload: bytes.seal(event.key, event.payload),
    headers: sealedHeaders(bytes, event.key, event.headers),
  });
  const after = <T>(ready: Promise<unknown> | undefined, work: () => Promise<T>): Promise<T> =>
    ready === undefined ? work() : ready.then(work);
  const opened = async (events: readonly LeasedEvent[]): Promise<readonly LeasedEvent[]> => {
    await bytes.readyToOpen(events.map(({ payload }) => payload));
    return events.map((event) => ({
      ...event,
      payload: bytes.open(event.payload),
      headers: openedHeaders(bytes, event.headers),
    }));
  };
  return {
    tasks: sealTasks(inner.tasks, bytes),
    letters: sealLetters(inner.letters, bytes, sealed),
    enqueue: (events) => after(bytes.readyFor(events.map(({ key }) => key)), () => inner.enqueue(events.map(sealed))),
    lease: async (options) => opened(await inner.lease(options)),
    takeOver: async (options) => opened(await inner.takeOver(options)),
    renew: (event, expiresAt) => inner.renew(event, expiresAt),
    retry: (event, plan) => inner.retry(event, plan),
    settle: (event, end) =>
      after(bytes.readyFor([event.key, ...end.followers.map(({ key }) => key)]), () =>
        inner.settle(event, sealedEnd(bytes, event.key, end, sealed)),
      ),
    onEnd: (listener) => inner.onEnd((end) => listener({ ...end, headers: withoutSecret(end.headers) })),
    untold: async (limit) =>
      (await inner.untold(limit)).map((end) => ({ ...end, headers: withoutSecret(end.headers) })),
    told: (number) => inner.told(number),
    depth: (key) => inner.depth(key),
    depths: (limit) => inner.depths(limit),
    nextDue: () => inner.nextDue(),
    onAvailable: (listener) => inner.onAvailable(listener),
    close: () => inner.close(),
  };
}

function sealedEnd(bytes: SealedBytes, key: string, end: EventEnd, sealed: (event: NewEvent) => NewEvent): EventEnd {
  const { result } = end;
  return {
    ...end,
    followers: end.followers.map(sealed),
    ...(result === undefined ? {} : { result: { ...result, payload: bytes.seal(key, result.payload) } }),
  };
}

function sealTasks(inner: TaskTable, bytes: SealedBytes): TaskTable {
  const opened = async (stored: StoredTask): Promise<StoredTask> => {
    const { payload, result } = stored;
    await bytes.readyToOpen([payload, result].filter((each) => each !== undefined));
    return {
      ...stored,
      ...(payload === undefined ? {} : { payload: bytes.open(payload) }),
      ...(result === undefined ? {} : { result: bytes.open(result) }),
    };
  };
  return {
    async get(account, functionName, taskId) {
      const found = await inner.get(account, functionName, taskId);
      return found === undefined ? undefined : opened(found);
    },
    async list(query) {
      const page = await inner.list(query);
      return { ...page, items: await Promise.all(page.items.map(opened)) };
    },
    running: (event, instanceId) => inner.running(event, instanceId),
    stop: (account, functionName, taskId) => inner.stop(account, functionName, taskId),
    onStop: (listener) => inner.onStop(listener),
  };
}

function sealLetters(inner: LetterTable, bytes: SealedBytes, sealed: (event: NewEvent) => NewEvent): LetterTable {
  return {
    async list(query) {
      const letters = await inner.list(query);
      return letters.map((letter) => ({
        ...letter,
        payloadBytes: letter.payloadBytes - bytes.added(`${letter.account}/`),
      }));
    },
    async get(account, number) {
      const found = await inner.get(account, number);
      if (found === undefined) return undefined;
      await bytes.readyToOpen([found.payload]);
      const payload = bytes.open(found.payload);
      const letter = { ...found.letter, payloadBytes: payload.byteLength };
      return { letter, payload, headers: openedHeaders(bytes, found.headers) };
    },
    remove: (account, number) => inner.remove(account, number),
    async redrive(account, number, event) {
      await bytes.readyFor([event.key]);
      return inner.redrive(account, number, sealed(event));
    },
    counts: () => inner.counts(),
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function sealedHeaders(bytes: SealedBytes, key: string, headers: unknown): unknown {
  if (!isRecord(headers) || headers[SECRET_HEADER] === undefined) return headers;
  const plain = Buffer.from(JSON.stringify(headers[SECRET_HEADER]));
  return { ...headers, [SECRET_HEADER]: Buffer.from(bytes.seal(key, plain)).toString('base64') };
}

/** After the payload of the same event was made ready: both are of one account. */
function openedHeaders(bytes: SealedBytes, headers: unknown): unknown {
  const sealed = isRecord(headers) ? headers[SECRET_HEADER] : undefined;
  if (!isRecord(headers) || typeof sealed !== 'string') return headers;
  const plain: unknown = JSON.parse(Buffer.from(bytes.open(Buffer.from(sealed, 'base64'))).toString());
  return { ...headers, [SECRET_HEADER]: plain };
}

/** Records of ends say what became of an event, not what it was sent with. */
function withoutSecret(headers: unknown): unknown {
  if (!isRecord(headers) || headers[SECRET_HEADER] === undefined) return headers;
  const { [SECRET_HEADER]: _secret, ...rest } = headers;
  return rest;
}
