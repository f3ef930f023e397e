import { TidemillError } from '../../core/domain/errors.ts';
import { newInstanceId } from '../../core/base/ids.ts';
import type { InstanceExit } from '../../core/domain/instance.ts';
import type { VersionSpec } from '../../core/domain/version-spec.ts';
import { InstanceStartError, type StartFailure } from '../../core/ports/node-pool.ts';
import type { ColdReasons } from './cold-reasons.ts';
import { EarlyLink } from './early-link.ts';
import type { SchedulerEvent, VersionShape } from './events.ts';
import { type InstanceBook, placedOf } from './instance-book.ts';
import { InstanceRecord } from './instance-record.ts';
import { causeOf } from './refusals.ts';
import type { ReservedCapacity } from './reserved-capacity.ts';
import type { SchedulingDeps } from './scheduling-deps.ts';
import type { SchedulerState } from './state.ts';

/** What the start of instances needs from the loop around it. */
export interface StartsDeps {
  readonly outside: SchedulingDeps;
  readonly state: SchedulerState;
  readonly book: InstanceBook;
  readonly coldReasons: ColdReasons;
  readonly reserved: ReservedCapacity;
  /** The version by its key and, when a call waits for this start, the call's request id. */
  readonly orderOf: (versionKey: string, cause: number) => { spec: VersionSpec; requestId: string } | undefined;
  readonly send: (event: SchedulerEvent) => void;
  readonly background: (what: string, work: Promise<void>) => void;
  readonly closed: () => boolean;
}

/** Starts instances: chooses the node, orders the start, makes the link, and tells the core how it went. */
export class InstanceStarts {
  /** Why the start that is being decided failed; only set meanwhile. */
  error: InstanceStartError | undefined = undefined;
  private readonly deps: StartsDeps;

  constructor(deps: StartsDeps) {
    this.deps = deps;
  }

  async start(number: number, shape: VersionShape, cause: number): Promise<void> {
    const { state, book, coldReasons, reserved, send } = this.deps;
    const { pool, dialer, identity, clock, random, facts, epoch } = this.deps.outside;
    const order = this.deps.orderOf(shape.key, cause);
    if (order === undefined) throw new Error(`no version known by ${shape.key}`);
    const { spec, requestId } = order;
    const record = new InstanceRecord(number, newInstanceId(random, clock.now()), spec, clock.now());
    book.add(record);
    const { instanceId } = record;
    const version = state.versions.get(shape.key);
    if (version !== undefined) record.coldReason = coldReasons.reasonFor(version);
    const begin = clock.monotonic();
    const early = new EarlyLink(dialer, spec, epoch);
    try {
      const nodeId = await this.placeOn(instanceId, shape);
      const credentials = identity.credentialsFor(spec.account, spec.functionArn, spec.config.role);
      const ordered = { instanceId, spec, requestId, credentials };
      record.started = await pool.start(nodeId === undefined ? ordered : { ...ordered, nodeId }, (address) =>
        early.placed(address),
      );
      this.linked(record, await early.take(record.started.address));
      const { sandboxMs, runtimeMs, codeMs, initializerMs } = record.started.timings;
      const phases = sandboxMs + runtimeMs + codeMs + initializerMs;
      record.placedMs = Math.max(0, clock.monotonic() - begin - phases);
    } catch (error) {
      if (record.started === undefined) early.abandon();
      this.failed(record, error);
      return;
    }
    facts.append({
      type: 'instance-started',
      at: clock.now(),
      account: spec.account,
      functionName: spec.functionName,
      instanceId,
      versionId: spec.versionId,
      from: record.started.timings.from,
      startMs: clock.monotonic() - begin,
    });
    reserved.started(spec.key);
    send({ type: 'started', instance: number });
  }

  /** The link of an instance is made. Throws when it ended before that. */
  linked(record: InstanceRecord, link: InstanceRecord['link'] & object): void {
    if (record.exit !== undefined || this.deps.closed()) {
      link.close();
      throw new InstanceStartError(endedEarly(record.exit, record.started?.startLog ?? ''));
    }
    record.link = link;
    void link.closed.then(() => {
      record.linkLost = true;
      this.deps.send({ type: 'lost', instance: record.number });
    });
  }

  /**
   * Counts the instance at once on the node that placement chooses. Undefined: no node is up, the start waits for one. Rejects
   * when no node has room, never in the midst of the decision that ordered the start.
   */
  private placeOn(instanceId: string, shape: VersionShape): Promise<string | undefined> {
    const nodes = this.deps.outside.pool.nodes();
    if (nodes.length === 0) return Promise.resolve(undefined);
    const { placement } = this.deps.book;
    const placed = placedOf(shape);
    const node = placement.choose(nodes, placed);
    if (node === undefined) {
      const message = `no machine has room for another instance of ${shape.memoryMb} MB`;
      return Promise.reject(new InstanceStartError({ kind: 'no-capacity', message, startLog: '' }));
    }
    placement.add(instanceId, node, placed);
    return Promise.resolve(node);
  }

  private failed(record: InstanceRecord, error: unknown): void {
    const { logger, pool } = this.deps.outside;
    this.deps.book.drop(record);
    if (record.started !== undefined && record.exit === undefined) {
      this.deps.background('kill an instance', pool.kill(record.instanceId, 'killed'));
    }
    const failure = error instanceof InstanceStartError ? error : new InstanceStartError(platformFailure(error));
    if (failure.failure.kind === 'platform' && !(error instanceof TidemillError)) {
      logger.log('error', 'an instance could not be started', { instance: record.instanceId, error: String(error) });
    }
    this.deps.reserved.startFailed(record.spec.key, failure);
    this.error = failure;
    this.deps.send({ type: 'start-failed', instance: record.number, cause: causeOf(failure.failure.kind) });
    this.error = undefined;
  }
}

function platformFailure(error: unknown): StartFailure {
  const message = error instanceof Error ? error.message : String(error);
  // What is refused by name says it all, as that the function's role is gone.
  if (error instanceof TidemillError) return { kind: 'platform', message, startLog: '' };
  return { kind: 'platform', message: `the instance could not be reached: ${message}`, startLog: '' };
}

function endedEarly(exit: InstanceExit | undefined, startLog: string): StartFailure {
  if (exit === undefined) return { kind: 'platform', message: 'the server is shutting down', startLog };
  return { kind: 'exited', message: `Function instance exited unexpectedly. Logs: ${exit.lastOutput}`, startLog };
}
