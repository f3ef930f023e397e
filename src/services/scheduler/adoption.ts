import type { EarlierCalls } from './earlier-calls.ts';
import type { SchedulerEvent } from './events.ts';
import { type InstanceBook, placedOf } from './instance-book.ts';
import { InstanceRecord } from './instance-record.ts';
import type { InstanceStarts } from './instance-starts.ts';
import type { KnownVersions } from './known-versions.ts';
import type { SchedulingDeps } from './scheduling-deps.ts';
import type { SchedulerState } from './state.ts';

/** What adoption needs from the loop around it. */
export interface AdoptionDeps {
  readonly outside: SchedulingDeps;
  readonly state: SchedulerState;
  readonly book: InstanceBook;
  readonly known: KnownVersions;
  readonly starts: InstanceStarts;
  readonly earlier: EarlierCalls;
  readonly send: (event: SchedulerEvent) => void;
  readonly retire: (versionKey: string) => void;
  readonly background: (what: string, work: Promise<void>) => void;
  readonly closed: () => boolean;
}

/** Takes over instances that run already: after a restart of this server, or when a node appears with some. */
export class Adoption {
  private readonly deps: AdoptionDeps;
  private adopting: Promise<void> = Promise.resolve();

  constructor(deps: AdoptionDeps) {
    this.deps = deps;
  }

  /** Adopts or removes everything that runs. One after the other: who waits for it knows everything found before. */
  all(): Promise<void> {
    const again = (): Promise<void> => this.found();
    this.adopting = this.adopting.then(again, again);
    return this.adopting;
  }

  private async found(): Promise<void> {
    const { book, state, known, starts, send, outside } = this.deps;
    const { pool, dialer, epoch, clock, logger } = outside;
    const nodes = pool.nodes();
    const capacityMb = nodes.length === 0 ? undefined : nodes.reduce((sum, node) => sum + node.memoryMb, 0);
    send({ type: 'memory', capacityMb });
    for (const found of await pool.list()) {
      if (book.named(found.instanceId) !== undefined || this.deps.closed()) continue;
      const { spec, instanceId } = found;
      const record = new InstanceRecord(state.nextInstance++, instanceId, spec, clock.now());
      book.add(record);
      try {
        const link = await dialer.dial(found.address, spec, epoch);
        starts.linked(record, link);
        this.deps.earlier.found(link, record);
        const { shape } = await known.learn(spec);
        book.placement.add(instanceId, found.nodeId, placedOf(shape));
        if (record.exit !== undefined) continue;
        const busy = link.busyAtConnect.length;
        send({ type: 'adopted', instance: record.number, version: shape, busy });
        if (busy > 0) {
          void link.drained().then(() => send({ type: 'adopted-drained', instance: record.number }));
        }
        if (!(await known.isCurrent(spec))) this.deps.retire(spec.key);
      } catch (error) {
        book.drop(record);
        logger.log('warn', 'an instance that was found could not be adopted and is removed', {
          instance: instanceId,
          error: String(error),
        });
        this.deps.background('kill an instance', pool.kill(instanceId, 'killed'));
      }
    }
  }
}
