import type { Clock } from '../../../src/core/base/clock.ts';
import { toDisposable } from '../../../src/core/base/disposable.ts';
import { Emitter } from '../../../src/core/base/emitter.ts';
import { silentLogger } from '../../../src/core/base/log.ts';
import type { Random } from '../../../src/core/base/random.ts';
import type { TriggerRecord } from '../../../src/core/domain/trigger.ts';
import type { AsyncCommand } from '../../../src/core/ports/dispatch.ts';
import type { MetadataEntry } from '../../../src/core/ports/metadata-store.ts';
import type { ObjectEvent } from '../../../src/core/ports/object-store.ts';
import { createEventSources } from '../../../src/services/events/index.ts';

/** Lets everything that is ready run: promises, and what they start in turn. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}

/** Time that moves only when told to. */
class SimulatedClock implements Clock {
  private time: number;
  private timers: { readonly at: number; readonly action: () => void }[] = [];

  constructor(start: string) {
    this.time = Date.parse(start);
  }

  now(): number {
    return this.time;
  }

  monotonic(): number {
    return this.time;
  }

  after(delayMs: number, action: () => void) {
    const timer = { at: this.time + delayMs, action };
    this.timers.push(timer);
    return toDisposable(() => {
      this.timers = this.timers.filter((other) => other !== timer);
    });
  }

  /** Moves on to `end`, running what falls due on the way at its own time. */
  async runTo(end: number | string): Promise<void> {
    const until = typeof end === 'string' ? Date.parse(end) : end;
    await settle();
    for (;;) {
      const [next] = this.timers.filter((timer) => timer.at <= until).toSorted((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.timers = this.timers.filter((timer) => timer !== next);
      this.time = Math.max(this.time, next.at);
      next.action();
      await settle();
    }
    this.time = until;
  }

  /** The wall clock is set, or the machine slept: nothing runs on the way. */
  jumpTo(end: string): void {
    this.time = Date.parse(end);
  }

  /** What was running is gone, as after kill -9. */
  dropTimers(): void {
    this.timers = [];
  }
}

let seed = 1;
const random: Random = {
  bytes: (count) => Uint8Array.from({ length: count }, () => (seed = (seed * 16_807) % 2_147_483_647) % 256),
  float: () => 0.5,
};

/** Everything around the event sources, in memory: it survives `restart`. */
export class SimulatedWorld {
  readonly clock: SimulatedClock;
  readonly triggers = new Map<string, TriggerRecord>();
  readonly stored = new Map<string, MetadataEntry>();
  /** Function, state and message of the events that were accepted for their end alone. */
  readonly ended: string[][] = [];
  readonly accepted: AsyncCommand[] = [];
  readonly attempts: AsyncCommand[] = [];
  outbox: ObjectEvent[] = [];
  readonly buckets = new Map([['videos', 'acct']]);
  /** Throws what accepting a command shall fail with. */
  refuse: (command: AsyncCommand) => void = () => {};
  /** Throws while no end can be recorded. */
  diskFull: () => void = () => {};
  private readonly triggerChanges = new Emitter<{ key: string; trigger: TriggerRecord | undefined }>();
  private readonly objectChanges = new Emitter<void>();
  private sources: ReturnType<typeof createEventSources> | undefined;

  constructor(start: string) {
    this.clock = new SimulatedClock(start);
  }

  async start(): Promise<void> {
    this.sources = createEventSources({
      clock: this.clock,
      random,
      log: silentLogger,
      region: 'local',
      access: { check: () => {} },
      catalog: {
        triggers: async (type) => [...this.triggers.values()].filter((trigger) => trigger.config.type === type),
        onTrigger: (listener) => this.triggerChanges.subscribe(listener),
      },
      dispatch: {
        invokeAsync: async (command) => {
          this.attempts.push(command);
          this.refuse(command);
          const known = this.accepted.some((other) => other.dedupId === command.dedupId);
          if (!known) this.accepted.push(command);
          return { taskId: command.requestId, requestId: command.requestId };
        },
        refuseAsync: async ({ functionName }, { state, message }) => {
          this.diskFull();
          this.ended.push([functionName, state, message]);
        },
      },
      objects: {
        bucket: async (name) => {
          const account = this.buckets.get(name);
          return account === undefined ? undefined : { name, account, createdAt: 0 };
        },
        events: async (after, limit) => this.outbox.filter((event) => event.sequence > after).slice(0, limit),
        acknowledge: async (sequence) => {
          this.outbox = this.outbox.filter((event) => event.sequence > sequence);
        },
        onEvent: (listener) => this.objectChanges.subscribe(listener),
      },
      store: {
        get: async (key) => this.stored.get(key),
        put: async (key, value) => {
          const revision = this.stored.size + 1;
          this.stored.set(key, { key, value, revision });
          return { ok: true, revision };
        },
      },
    });
    await this.sources.start();
    await settle();
  }

  async stop(): Promise<void> {
    await this.sources?.stop();
    this.clock.dropTimers();
  }

  /** The process dies: nothing is written any more, nothing that was waiting happens. */
  kill(): void {
    this.clock.dropTimers();
    this.sources = undefined;
  }

  setTrigger(trigger: TriggerRecord): void {
    this.triggers.set(trigger.triggerName, trigger);
    this.triggerChanges.emit({ key: `${trigger.account}/${trigger.functionName}/${trigger.triggerName}`, trigger });
  }

  removeTrigger(name: string): void {
    const known = this.triggers.get(name);
    this.triggers.delete(name);
    const key = `${known?.account}/${known?.functionName}/${name}`;
    this.triggerChanges.emit({ key, trigger: undefined });
  }

  putObject(event: Partial<ObjectEvent> & { readonly sequence: number }): void {
    this.outbox.push({
      at: this.clock.now(),
      eventName: 'ObjectCreated:PutObject',
      bucket: 'videos',
      key: 'in/a.mp4',
      size: 10,
      deltaSize: 10,
      etag: '688A7BF4F233DC9C88A80BF985AB7329',
      contentType: 'video/mp4',
      userMeta: {},
      context: { account: 'acct', requestId: 'w1', sourceIp: '1.2.3.4', lineage: undefined },
      ...event,
    });
    this.objectChanges.emit();
  }

  record(triggerName: string, config: TriggerRecord['config']): TriggerRecord {
    const now = this.clock.now();
    return {
      account: 'acct',
      functionName: 'f',
      triggerName,
      triggerId: `id-${triggerName}`,
      qualifier: 'LATEST',
      description: '',
      sourceArn: '',
      invocationRole: '',
      config,
      rawConfig: JSON.stringify(config),
      createdTime: now,
      lastModifiedTime: now,
    };
  }

  /** The payloads of what was accepted, parsed. */
  payloads(): unknown[] {
    return this.accepted.map((command) => JSON.parse(new TextDecoder().decode(command.payload)));
  }
}
