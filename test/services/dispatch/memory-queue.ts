import { DatabaseSync } from 'node:sqlite';
import { openQueueDatabase } from '../../../src/adapters/queue-sqlite/database.ts';
import { encodeCalls } from '../../../src/adapters/queue-sqlite/encode-calls.ts';
import { SqliteEventQueue } from '../../../src/adapters/queue-sqlite/event-queue.ts';
import { QueueTables } from '../../../src/adapters/queue-sqlite/queue-tables.ts';
import type { Outgoing } from '../../../src/adapters/queue-sqlite/queue-writer.ts';
import { runCalls } from '../../../src/adapters/queue-sqlite/run-calls.ts';
import { joinBytes } from '../../../src/adapters/queue-sqlite/wire.ts';
import type { Clock } from '../../../src/core/base/clock.ts';

/** The real queue's tables in memory, without its thread: every call is done at once, with simulated time. */
export class MemoryQueue extends SqliteEventQueue {
  private readonly db: DatabaseSync;

  constructor(clock: Clock) {
    const db = openQueueDatabase(':memory:');
    const tables = new QueueTables(db, 7 * 86_400_000, { perFunction: 100, keptMs: 86_400_000 });
    super(
      {
        call: async (outgoing: Outgoing, _weight, read) => {
          const { calls, bytes } = encodeCalls([outgoing]);
          const { answers, parts } = runCalls(tables, calls, bytes);
          return read(answers[0] as Parameters<typeof read>[0], joinBytes(parts));
        },
        close: async () => undefined,
      },
      clock,
    );
    this.db = db;
  }

  /** Ids of the events that have not ended, in the order of acceptance. */
  get stored(): readonly string[] {
    return this.db
      .prepare('SELECT id FROM events ORDER BY seq')
      .all()
      .map((row) => String(row['id']));
  }

  /** Another server takes the event over. */
  steal(id: string | undefined): void {
    this.db
      .prepare('UPDATE leased SET epoch = epoch + 1 WHERE seq IN (SELECT seq FROM ids WHERE id = ?)')
      .run(id ?? '');
  }
}
