import { LOOP_DEFAULTS } from '../../../src/core/domain/loop-limits.ts';
import type { FailedCall } from '../../../src/core/ports/failed-calls.ts';
import type { InvokeCommand, Target } from '../../../src/core/ports/dispatch.ts';
import { createDispatch } from '../../../src/services/dispatch/index.ts';
import { createScheduling } from '../../../src/services/scheduler/index.ts';
import { createSessions } from '../../../src/services/scheduler/sessions.ts';
import { MemoryStore } from '../control/memory-world.ts';
import { World } from '../scheduler/world.ts';
import { FakeDestinations } from './fake-destinations.ts';
import { MemoryQueue } from './memory-queue.ts';

/** Dispatch over the real scheduler, with fake instances and a queue in memory. */
export class DispatchWorld extends World {
  readonly queue = new MemoryQueue(this.clock);
  readonly scheduling = createScheduling({ ...this.parts(), epoch: 3, limits: {} });
  readonly sessions = createSessions({ ...this.parts(), scheduling: this.scheduling, store: new MemoryStore() });
  readonly destinations = new FakeDestinations();
  readonly disabled = new Set<string>();
  /** What failed calls were given, as dispatch kept it. */
  readonly failed: FailedCall[] = [];
  readonly dispatch = createDispatch({
    ...this.parts(),
    scheduling: this.scheduling,
    sessions: this.sessions,
    queue: this.queue,
    objects: this.destinations,
    webhooks: this.destinations,
    region: 'local',
    loopLimits: LOOP_DEFAULTS,
    states: { isActive: (account) => !this.disabled.has(account) },
    failed: { keep: (call) => void this.failed.push(call) },
  });

  /** `started: false`: no events are taken before `dispatch.start()`. */
  static async open({ started = true } = {}): Promise<DispatchWorld> {
    const world = new DispatchWorld();
    await world.scheduling.start();
    if (started) await world.dispatch.start();
    return world;
  }

  async close(): Promise<void> {
    await this.dispatch.close();
    this.sessions.close();
    await this.scheduling.close();
  }

  command(target: Target, more: Partial<InvokeCommand> = {}): InvokeCommand {
    return {
      requestId: 'r1',
      target,
      caller: 'anonymous',
      input: { kind: 'event', payload: Buffer.from('in') },
      logTail: false,
      signal: new AbortController().signal,
      lineage: { hops: 0, rootRequestId: 'r1' },
      ...more,
    };
  }
}

export function textOf(payload: Uint8Array | AsyncIterable<Uint8Array>): string {
  if (!(payload instanceof Uint8Array)) throw new TypeError('the answer is streamed');
  return Buffer.from(payload).toString();
}
