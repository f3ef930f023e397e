import { BatchThread } from '../../core/base/batch-thread.ts';
import type { Clock } from '../../core/base/clock.ts';
import type { Disposable } from '../../core/base/disposable.ts';
import { Emitter } from '../../core/base/emitter.ts';
import { type Logger, silentLogger } from '../../core/base/log.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { Fact } from '../../core/domain/fact.ts';
import type { FactLog, FactPage, FactQuery } from '../../core/ports/fact-log.ts';
import { startThread } from '../sqlite/node-thread.ts';
import type { LogCall, LogPage, Retention } from './wire.ts';

export type { Retention } from './wire.ts';

/** A week, and no more than a gibibyte. */
export const DEFAULT_RETENTION: Retention = { maxAgeMs: 7 * 86_400_000, maxBytes: 1024 ** 3 };

export interface FactLogOptions {
  /** The database file; `-wal` and `-shm` files stand beside it. One log at a time may have it open. */
  readonly path: string;
  readonly clock: Clock;
  readonly retention?: Retention;
  /** Facts are on disk within this time after `append`, milliseconds; default 100. */
  readonly flushMs?: number;
  /** Told when facts could not be written, and how many were given up. */
  readonly log?: Logger;
}

const FLUSH_CHARS = 256 * 1024;
const TRIM_EVERY_MS = 60_000;
/** Facts that cannot be written are kept and tried again up to this much; beyond it the oldest are given up, and counted. */
const MAX_UNWRITTEN_CHARS = 64 * 1024 * 1024;

/**
 * The fact log on SQLite: `append` only keeps the text, a thread writes what has gathered, one synced transaction per
 * flush. Rejects with InternalServerError when the file cannot be opened.
 */
export async function openFactLog(options: FactLogOptions): Promise<FactLog> {
  const { path, retention = DEFAULT_RETENTION } = options;
  const writer = await BatchThread.start<LogCall>({
    thread: startThread(import.meta.url, 'writer-worker', { path, retention }),
    defer: setImmediate,
    encode: (calls) => ({ calls }),
    failure: (message) => new TidemillError('InternalServerError', `the fact log ${path} failed: ${message}`),
    // A failed flush must not take readers down with it, and the other way round: each call is a batch of its own.
    maxCalls: 1,
    maxWeight: Number.POSITIVE_INFINITY,
  });
  return new SqliteFactLog(writer, options);
}

class SqliteFactLog implements FactLog {
  private readonly writer: BatchThread<LogCall>;
  private readonly clock: Clock;
  private readonly flushMs: number;
  private readonly log: Logger;
  private readonly appended = new Emitter<Fact>();
  /** Texts not handed to the thread yet. */
  private pending: string[] = [];
  private pendingChars = 0;
  private flushTimer: Disposable | undefined;
  private trimTimer: Disposable | undefined;
  /** The write under way; writes go one after the other, so a failed one is repeated before anything newer. */
  private writing: Promise<void> | undefined;
  private closed = false;

  constructor(writer: BatchThread<LogCall>, options: FactLogOptions) {
    this.writer = writer;
    this.clock = options.clock;
    this.flushMs = options.flushMs ?? 100;
    this.log = options.log ?? silentLogger;
    this.trim();
  }

  append(fact: Fact): void {
    if (this.closed) return;
    const text = JSON.stringify(fact);
    this.pending.push(text);
    this.pendingChars += text.length;
    if (this.pendingChars >= FLUSH_CHARS && this.writing === undefined) void this.startWriting();
    this.armFlush();
    this.appended.emit(fact);
  }

  async flush(): Promise<void> {
    // The write under way, then the one after it: that holds all there was at this call. Not more, or a flush under
    // constant appending would never end.
    await this.writing;
    if (this.writing !== undefined || this.pending.length > 0) await (this.writing ?? this.startWriting());
  }

  async read(query: FactQuery): Promise<FactPage> {
    return await this.query(query, query.after === undefined ? 0 : parseCursor(query.after));
  }

  async latest(query: Omit<FactQuery, 'after'>): Promise<FactPage> {
    return await this.query(query, undefined);
  }

  subscribe(listener: (fact: Fact) => void): Disposable {
    return this.appended.subscribe(listener);
  }

  async close(): Promise<void> {
    const first = !this.closed;
    this.closed = true;
    this.flushTimer?.dispose();
    this.trimTimer?.dispose();
    try {
      if (first) await this.flush();
    } finally {
      await this.writer.close();
    }
  }

  private async query(query: FactQuery, after: number | undefined): Promise<FactPage> {
    // What is on its way goes first, so that the reader finds it; if the disk refuses it, what is there is still readable.
    await this.flush().catch(() => {});
    const { account, functionName, types, requestId, since, limit } = query;
    const call: LogCall = {
      op: 'read',
      query: { stream: `${account}/${functionName}`, types, requestId, since, after, limit },
    };
    return await this.writer.call(call, 1, (page: LogPage) => ({
      facts: page.bodies.map((body) => JSON.parse(body) as Fact),
      cursor: String(page.last),
    }));
  }

  private startWriting(): Promise<void> {
    const texts = this.pending;
    this.pending = [];
    this.pendingChars = 0;
    const call: LogCall = { op: 'append', lines: texts.join('\n'), now: Math.floor(this.clock.now()) };
    const writing = this.writer
      .call(call, 1, () => {})
      .catch((error: unknown) => {
        this.keep(texts, error);
        throw error;
      })
      .finally(() => {
        this.writing = undefined;
        if (this.pending.length > 0) this.armFlush();
      });
    this.writing = writing;
    // Whoever waits sees the failure; when nobody does, the log line of `keep` is the report.
    writing.catch(() => {});
    return writing;
  }

  private keep(texts: readonly string[], error: unknown): void {
    const all = [...texts, ...this.pending];
    let chars = all.reduce((sum, text) => sum + text.length, 0);
    let dropped = 0;
    while (chars > MAX_UNWRITTEN_CHARS) chars -= all[dropped++]?.length ?? 0;
    this.pending = all.slice(dropped);
    this.pendingChars = chars;
    const message = error instanceof Error ? error.message : String(error);
    this.log.log('error', 'facts could not be written, trying again', { error: message, kept: chars, dropped });
  }

  private armFlush(): void {
    if (this.flushTimer !== undefined || this.closed) return;
    this.flushTimer = this.clock.after(this.flushMs, () => {
      this.flushTimer = undefined;
      if (this.pending.length > 0 && this.writing === undefined) void this.startWriting();
    });
  }

  /** Drops what is too old now and from time to time, also when nothing is appended. */
  private trim(): void {
    this.writer
      .call({ op: 'trim', now: Math.floor(this.clock.now()) }, 1, () => {})
      .catch((error: unknown) => this.log.log('warn', 'old facts could not be dropped', { error: String(error) }));
    this.trimTimer = this.clock.after(TRIM_EVERY_MS, () => this.trim());
  }
}

function parseCursor(cursor: string): number {
  const seq = Number(cursor);
  if (!/^\d+$/.test(cursor) || !Number.isSafeInteger(seq)) {
    throw new TidemillError('InvalidArgument', `"${cursor}" is not a cursor that the fact log gave out`);
  }
  return seq;
}
