import type { Clock } from '../../core/base/clock.ts';
import { DisposableStore } from '../../core/base/disposable.ts';
import { newRequestId } from '../../core/base/ids.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { LoopLimits } from '../../core/domain/loop-limits.ts';
import { isCustomRuntime } from '../../core/domain/version-spec.ts';
import type { CallerLineage } from '../../core/ports/caller-lineage.ts';
import type { AccountStates } from '../../core/ports/accounts.ts';
import type { AsyncTasks } from '../../core/ports/async-tasks.ts';
import type { Catalog } from '../../core/ports/catalog.ts';
import type { DeadLetters } from '../../core/ports/dead-letters.ts';
import type {
  AsyncCommand,
  Dispatch,
  InvokeAnswer,
  InvokeCommand,
  RefusedEnd,
  Target,
} from '../../core/ports/dispatch.ts';
import type { EventQueue } from '../../core/ports/event-queue.ts';
import type { FactLog } from '../../core/ports/fact-log.ts';
import type { FailedCalls } from '../../core/ports/failed-calls.ts';
import type { Identity } from '../../core/ports/identity.ts';
import type { InstanceOutput, NodePool } from '../../core/ports/node-pool.ts';
import type { ObjectStore } from '../../core/ports/object-store.ts';
import type { Scheduling } from '../../core/ports/scheduling.ts';
import type { Sessions } from '../../core/ports/sessions.ts';
import type { WebhookSender } from '../../core/ports/webhook-sender.ts';
import { type AsyncEnvelope, eventOf, refusedEventOf } from './async-envelope.ts';
import { Deadlines } from './deadlines.ts';
import { EndTeller } from './end-teller.ts';
import { EventConsumer } from './event-consumer.ts';
import { Traffic } from './instance-traffic.ts';
import { Invoker } from './invoker.ts';
import { LoopGuard } from './loop-guard.ts';
import { Letters } from './letters.ts';
import { accountDisabled } from './account-disabled.ts';
import { resolveTarget } from './resolve.ts';
import { StrangerOutput } from './stranger-output.ts';
import type { CallDeps } from './running-call.ts';
import { Tasks } from './tasks.ts';

export interface DispatchDeps {
  readonly catalog: Catalog;
  readonly scheduling: Scheduling;
  readonly sessions: Sessions;
  readonly queue: EventQueue;
  readonly facts: FactLog;
  readonly identity: Pick<Identity, 'credentialsFor'>;
  readonly states: AccountStates;
  readonly pool: NodePool;
  readonly clock: Clock;
  readonly random: Random;
  readonly objects: Pick<ObjectStore, 'put' | 'bucket'>;
  readonly webhooks: WebhookSender;
  readonly region: string;
  /** Where failed calls leave what they were given; without it they do not. */
  readonly failed?: Pick<FailedCalls, 'keep'> | undefined;
  /** Of functions that do not set their own. */
  readonly loopLimits: LoopLimits;
  readonly logger: Logger;
}

class Dispatcher implements Dispatch, CallerLineage {
  readonly tasks: AsyncTasks;
  readonly letters: DeadLetters;
  private readonly deps: DispatchDeps;
  private readonly deadlines: Deadlines;
  private readonly traffic: Traffic;
  private readonly invoker: Invoker;
  private readonly consumer: EventConsumer;
  private readonly teller: EndTeller;
  private readonly strangers: StrangerOutput;
  private readonly lifetime = new DisposableStore();
  /** Calls let in and not ended, streamed answers included. */
  private open = 0;
  private started = false;
  private stopped = false;
  private meeting = false;
  private onIdle: (() => void) | undefined = undefined;

  constructor(deps: DispatchDeps) {
    this.deps = deps;
    this.traffic = new Traffic((instanceId) => deps.pool.sourceOf(instanceId));
    this.deadlines = this.lifetime.add(new Deadlines(deps.clock));
    const calls: CallDeps = {
      clock: deps.clock,
      identity: deps.identity,
      states: deps.states,
      facts: deps.facts,
      deadlines: this.deadlines,
      traffic: this.traffic,
      failed: deps.failed,
      guard: new LoopGuard({ limits: deps.loopLimits, facts: deps.facts, clock: deps.clock }),
      callBegan: () => {
        this.open++;
      },
      callEnded: () => {
        this.open--;
        if (this.open === 0) this.onIdle?.();
      },
    };
    this.invoker = new Invoker(calls, deps.scheduling, deps.sessions);
    this.consumer = new EventConsumer({ ...deps, invoker: this.invoker }, deps.scheduling, { ...deps, dispatch: this });
    this.tasks = new Tasks(deps.catalog, deps.queue.tasks);
    this.letters = new Letters({ ...deps, table: deps.queue.letters });
    this.teller = this.lifetime.add(new EndTeller(deps));
    const { pool } = deps;
    this.strangers = new StrangerOutput((output) => this.onOutput(output));
    this.lifetime.add(pool.onExit((exit) => this.traffic.exited(exit)));
    this.lifetime.add(pool.onUsage((usage) => this.traffic.used(usage.instanceId, usage.memoryPeakBytes)));
    this.lifetime.add(pool.onOutput((output) => this.onOutput(output)));
  }

  start(): Promise<void> {
    this.started = true;
    this.meetInstances();
    this.lifetime.add(this.deps.pool.onNodeUp(() => this.meetInstances()));
    this.teller.start();
    return this.consumer.start();
  }

  async drain(): Promise<void> {
    this.stopped = true;
    await this.consumer.drain();
    if (this.open > 0) await new Promise<void>((resolve) => (this.onIdle = resolve));
    await this.teller.finish();
  }

  close(): Promise<void> {
    this.stopped = true;
    this.consumer.close();
    this.lifetime.dispose();
    return Promise.resolve();
  }

  resolve(account: string, functionName: string, qualifier: string | undefined): Promise<Target> {
    return resolveTarget(this.deps, account, functionName, qualifier);
  }

  invoke(command: InvokeCommand): Promise<InvokeAnswer> {
    if (this.stopped) return Promise.reject(closing());
    return this.invoker.invoke(command, 'sync');
  }

  async invokeAsync(command: AsyncCommand): Promise<{ taskId: string; requestId: string }> {
    if (this.stopped) throw closing();
    if (!this.deps.states.isActive(command.account)) throw accountDisabled(command.account);
    const { account, functionName, qualifier, requestId } = command;
    const { clock, queue } = this.deps;
    const config = await this.deps.catalog.asyncConfig(account, functionName, qualifier ?? 'LATEST');
    const event = eventOf(command, clock.now(), config?.asyncTask === true);
    const { spec } = await this.resolve(account, functionName, qualifier);
    if (spec.config.sessionAffinity !== undefined) {
      throw new TidemillError('InvalidArgument', 'a function with session affinity cannot be called asynchronously', {
        remedy: 'Call it synchronously, or set its sessionAffinity to NONE.',
      });
    }
    if (command.http !== undefined && !isCustomRuntime(spec.config.runtime)) {
      throw new TidemillError('InvalidArgument', 'an HTTP call needs a custom runtime; built-in runtimes take events');
    }
    const { taskId } = event.headers;
    const [accepted] = await queue.enqueue([event]);
    if (accepted === 'duplicate') {
      if (command.dedupId !== undefined) return { taskId, requestId };
      throw new TidemillError('AsyncTaskAlreadyExists', `async task '${taskId}' already exists`);
    }
    this.tellAccepted(event.headers);
    return { taskId, requestId };
  }

  async refuseAsync(command: AsyncCommand, end: RefusedEnd): Promise<void> {
    if (this.stopped) throw closing();
    const event = refusedEventOf(command, this.deps.clock.now(), end);
    const [accepted] = await this.deps.queue.enqueue([event]);
    if (accepted === 'accepted') this.tellAccepted(event.headers);
  }

  warm(target: Target): Promise<{ instanceId: string; startLog: string }> {
    if (this.stopped) return Promise.reject(closing());
    return this.invoker.warm(target, newRequestId(this.deps.random, this.deps.clock.now()));
  }

  callerOf(...caller: Parameters<CallerLineage['callerOf']>): ReturnType<CallerLineage['callerOf']> {
    return this.traffic.callerOf(...caller);
  }

  private tellAccepted({ account, functionName, requestId, taskId, qualifier }: AsyncEnvelope): void {
    const { facts, clock } = this.deps;
    facts.append({ type: 'event-accepted', at: clock.now(), account, functionName, requestId, taskId, qualifier });
  }

  /** Instances of an earlier server may write before their first call from here: know whose output that is. */
  private meetInstances(): void {
    const { pool, logger } = this.deps;
    this.meeting = true;
    pool
      .list()
      .then((found) => {
        for (const { instanceId, spec } of found) this.traffic.of(instanceId, spec);
        this.strangers.met(new Set(found.map((instance) => instance.instanceId)));
      })
      .catch((error: unknown) => {
        logger.log('warn', 'running instances could not be listed', { error: String(error) });
      })
      .finally(() => {
        this.meeting = false;
      });
  }

  /** Output that an instance writes outside the calls' own channels: split by request, recorded, added to log tails. */
  private onOutput(output: InstanceOutput): void {
    const traffic = this.traffic.find(output.instanceId);
    const { spec } = traffic ?? {};
    if (traffic === undefined || spec === undefined) {
      this.strangers.keep(output);
      if (this.started && !this.meeting) this.meetInstances();
      return;
    }
    for (const { requestId, text } of traffic.attribute(output.text)) {
      for (const call of traffic.calls) if (call.requestId === requestId) call.onInstanceOutput(text);
      this.deps.facts.append({
        type: 'output-written',
        at: output.at,
        account: spec.account,
        functionName: spec.functionName,
        requestId,
        instanceId: output.instanceId,
        versionId: spec.versionId,
        text,
      });
    }
  }
}

function closing(): TidemillError {
  return new TidemillError('ResourceThrottled', 'the server is shutting down', { remedy: 'Send the call again.' });
}

/** Dispatch over scheduling and a queue. Call `start` to take events, `drain` and `close` at the end. */
export function createDispatch(deps: DispatchDeps): Dispatch &
  CallerLineage & {
    readonly tasks: AsyncTasks;
    readonly letters: DeadLetters;
    start(): Promise<void>;
    drain(): Promise<void>;
    close(): Promise<void>;
  } {
  return new Dispatcher(deps);
}
