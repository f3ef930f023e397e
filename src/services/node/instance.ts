import type { Clock } from '../../core/base/clock.ts';
import type { Disposable } from '../../core/base/disposable.ts';
import { newRequestId } from '../../core/base/ids.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import type { ExitReason, InstanceExit } from '../../core/domain/instance.ts';
import type { InstanceJournal } from '../../core/ports/instance-journal.ts';
import {
  InstanceStartError,
  type InstanceOutput,
  type StartedInstance,
  type StartFailure,
  type StartOrder,
} from '../../core/ports/node-pool.ts';
import { type ExecListener, ExecRefusedError, type ExecRequest, type ExecSession } from '../../core/ports/exec.ts';
import type { SandboxHandle } from '../../core/ports/sandbox.ts';
import { watchHealth } from './health-check.ts';
import { type InstanceEffect, type InstanceEvent, type InstancePhase, transition } from './instance-machine.ts';
import type { InstanceHoldings, InstanceStart } from './instance-start.ts';
import { hookMarks } from './hook-marks.ts';
import { text } from './runtime-boot.ts';
import { StartFailedError } from './start-failure.ts';

/** Collecting a large heap with a tenth of a CPU takes seconds; a call meanwhile is served all the same. */
const TRIM_TIMEOUT_MS = 60_000;

/** What an instance tells the service that holds it. */
export interface InstanceObserver {
  exited(exit: InstanceExit): void;
  output(output: InstanceOutput): void;
  /** Nothing of it is left: drop it. */
  gone(instance: Instance): void;
}

export interface InstanceParts {
  readonly nodeId: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly journal: InstanceJournal;
  readonly observer: InstanceObserver;
}

/** One instance on this machine: performs the effects that its state machine decides. */
export class Instance {
  readonly order: Omit<StartOrder, 'credentials'>;
  /** Resolves with the ready instance or rejects with InstanceStartError once its remains are gone. */
  readonly ready: Promise<StartedInstance>;
  /** Resolves when nothing of it is left. */
  readonly ended: Promise<void>;
  private readonly parts: InstanceParts;
  private readonly holdings: InstanceHoldings;
  private readonly start: InstanceStart | undefined;
  private readonly readySettle: PromiseWithResolvers<StartedInstance>;
  private readonly endedSettle = Promise.withResolvers<void>();
  private state: InstancePhase;
  private started: StartedInstance | undefined;
  private failure: StartFailure | undefined;
  private health: Disposable | undefined;
  /** Asked to stand still; it does once no session is open. */
  private frozen = false;
  private sessions = 0;
  /** Grows with every thaw: tells a shrink that it came too late. */
  private turn = 0;

  private constructor(
    parts: InstanceParts,
    order: Omit<StartOrder, 'credentials'>,
    begin: { start: InstanceStart } | { holdings: InstanceHoldings; started: StartedInstance },
  ) {
    this.parts = parts;
    this.order = order;
    this.readySettle = Promise.withResolvers<StartedInstance>();
    this.ready = this.readySettle.promise;
    this.ready.catch(() => undefined);
    this.ended = this.endedSettle.promise;
    if ('start' in begin) {
      this.start = begin.start;
      this.holdings = begin.start.holdings;
      this.state = { phase: 'starting' };
    } else {
      this.start = undefined;
      this.holdings = begin.holdings;
      this.started = begin.started;
      this.state = { phase: 'ready' };
      this.readySettle.resolve(begin.started);
    }
  }

  static starting(parts: InstanceParts, order: StartOrder, start: InstanceStart): Instance {
    const { credentials: _secret, ...kept } = order;
    const instance = new Instance(parts, kept, { start });
    void instance.runStart(start);
    return instance;
  }

  /** An instance that ran before this agent did. */
  static adopted(
    parts: InstanceParts,
    order: Omit<StartOrder, 'credentials'>,
    holdings: InstanceHoldings,
    started: StartedInstance,
  ): Instance {
    const instance = new Instance(parts, order, { holdings, started });
    instance.listen();
    instance.watch();
    return instance;
  }

  get id(): string {
    return this.order.instanceId;
  }

  get phase(): InstancePhase['phase'] {
    return this.state.phase;
  }

  /** The sandbox, while the instance can take calls or runs its last hook. */
  get runningHandle(): SandboxHandle | undefined {
    return this.phase === 'ready' || this.phase === 'stopping' ? this.holdings.handle : undefined;
  }

  get startedInstance(): StartedInstance | undefined {
    return this.phase === 'ready' ? this.started : undefined;
  }

  /** Only an instance that can take calls is frozen. Acts at once, see NodePool. */
  async freeze(): Promise<void> {
    if (this.phase !== 'ready' || this.frozen || this.holdings.handle === undefined) return;
    this.frozen = true;
    if (this.sessions > 0) return;
    try {
      await this.holdings.handle.freeze();
    } catch (error) {
      this.frozen = false;
      throw error;
    }
  }

  async thaw(): Promise<void> {
    this.turn++;
    this.frozen = false;
    await this.holdings.handle?.thaw();
  }

  /** Freezes after the runtime has given back what it does not need. A thaw meanwhile wins. */
  async shrink(): Promise<void> {
    const { control, handle } = this.holdings;
    if (this.phase !== 'ready' || handle === undefined || control === undefined) return;
    await this.thaw();
    const turn = ++this.turn;
    await control.trim(TRIM_TIMEOUT_MS).catch((error: unknown) => {
      this.parts.log.log('info', 'a runtime did not trim its memory', { instanceId: this.id, error: text(error) });
    });
    if (this.turn !== turn) return;
    await this.freeze();
    await handle.reclaim();
  }

  /** A session keeps it running: what it was asked to freeze stands still when the last one ends. */
  async exec(request: ExecRequest, listener: ExecListener): Promise<ExecSession> {
    const { handle } = this.holdings;
    if (this.phase !== 'ready' || handle === undefined) throw new ExecRefusedError(`instance ${this.id} is not ready`);
    this.sessions++;
    try {
      await handle.thaw();
      const env = { ...this.order.spec.config.environmentVariables, ...request.env };
      return await handle.exec(
        { ...request, env },
        {
          output: (channel, bytes) => listener.output(channel, bytes),
          drained: () => listener.drained(),
          ended: (end) => {
            this.sessionEnded();
            listener.ended(end);
          },
        },
      );
    } catch (error) {
      this.sessionEnded();
      throw error;
    }
  }

  private sessionEnded(): void {
    this.sessions--;
    if (this.sessions > 0 || !this.frozen || this.phase !== 'ready') return;
    this.holdings.handle?.freeze().catch((error: unknown) => {
      this.frozen = false;
      this.parts.log.log('warn', 'an instance could not be frozen again', { instanceId: this.id, error: text(error) });
    });
  }

  /** Runs the pre-stop hook, then removes the instance. */
  stop(): Promise<void> {
    this.apply({ type: 'stop' });
    return this.ended;
  }

  kill(reason: ExitReason): Promise<void> {
    this.apply({ type: 'kill', reason });
    return this.ended;
  }

  private async runStart(start: InstanceStart): Promise<void> {
    try {
      const result = await start.run();
      const source = this.holdings.handle?.source;
      this.started = {
        instanceId: this.id,
        nodeId: this.parts.nodeId,
        address: result.address,
        ...(source === undefined ? {} : { source }),
        timings: result.timings,
        startLog: this.holdings.output.started(),
      };
      this.apply({ type: 'started' });
      this.listen();
      this.watch();
    } catch (error) {
      const startLog = this.holdings.output.startLog();
      this.failure =
        error instanceof StartFailedError
          ? { ...error.failure, startLog }
          : { kind: 'platform', message: text(error), startLog };
      this.apply({ type: 'start-failed' });
    }
  }

  /** Hands output on as lines; what was written before, first. */
  private listen(): void {
    this.holdings.output.listen((line) => {
      this.parts.observer.output({ instanceId: this.id, text: line, at: this.parts.clock.now() });
    });
  }

  private watch(): void {
    const { handle, control } = this.holdings;
    void handle?.exited.then((exit) => {
      if (exit.reason === 'crash')
        this.parts.log.log('info', 'an instance ended by itself', { instanceId: this.id, ...exit });
      this.apply({ type: 'exited', exit });
    });
    const check = this.order.spec.config.customRuntimeConfig?.healthCheckConfig;
    if (check === undefined || control === undefined || this.phase !== 'ready') return;
    this.health = watchHealth(control, check, this.parts.clock, {
      paused: () => this.frozen,
      onUnhealthy: (detail) => {
        this.parts.log.log('info', 'an instance failed its health check', { instanceId: this.id, detail });
        this.apply({ type: 'kill', reason: 'crash' });
      },
    });
  }

  private apply(event: InstanceEvent): void {
    const { state, effects } = transition(this.state, event);
    this.state = state;
    for (const effect of effects) this.perform(effect);
  }

  private perform(effect: InstanceEffect): void {
    switch (effect.type) {
      case 'journal':
        this.writeJournal();
        return;
      case 'answer-started':
        if (this.started !== undefined) this.readySettle.resolve(this.started);
        return;
      case 'answer-failed':
        this.readySettle.reject(
          new InstanceStartError(this.failure ?? { kind: 'platform', message: 'the start failed', startLog: '' }),
        );
        return;
      case 'abort-start':
        this.start?.abort();
        return;
      case 'run-pre-stop':
        void this.runPreStop();
        return;
      case 'kill':
        void this.killSandbox(effect.reason);
        return;
      case 'destroy':
        void this.destroy();
        return;
      case 'announce-exit':
        this.holdings.output.end();
        this.parts.observer.exited({
          instanceId: this.id,
          ...effect.exit,
          lastOutput: this.holdings.output.lastOutput(),
        });
        return;
      case 'forget':
        if (this.holdings.handle !== undefined) this.parts.journal.remove(this.holdings.handle.id);
        this.parts.observer.gone(this);
        this.endedSettle.resolve();
    }
  }

  private writeJournal(): void {
    const { handle } = this.holdings;
    if (handle === undefined || this.started === undefined) return;
    try {
      const { address } = this.started;
      this.parts.journal.write({ sandboxId: handle.id, order: this.order, address, started: this.started });
    } catch (error) {
      // It still serves; only a restart of the agent would not find it and remove it.
      this.parts.log.log('error', 'an instance could not be journalled', { instanceId: this.id, error: text(error) });
    }
  }

  private async runPreStop(): Promise<void> {
    const hook = this.order.spec.config.preStop;
    const { control } = this.holdings;
    await this.thaw();
    if (hook !== undefined && hook.handler !== '' && control !== undefined) {
      const requestId = newRequestId(this.parts.random, this.parts.clock.now());
      const marks = hookMarks('PreStop', this.order, requestId, this.holdings.output);
      marks.begin();
      try {
        const { ok, error } = await control.preStop({ requestId }, hook.timeout * 1000);
        marks.end(ok ? undefined : (error?.errorMessage ?? 'the hook failed'));
      } catch (error) {
        marks.end(text(error));
        this.parts.log.log('info', 'a pre-stop hook did not end', { instanceId: this.id, error: text(error) });
      }
    }
    this.apply({ type: 'hook-ended' });
  }

  private async killSandbox(reason: ExitReason): Promise<void> {
    try {
      await this.holdings.handle?.kill(reason);
    } catch (error) {
      this.parts.log.log('warn', 'an instance could not be killed', { instanceId: this.id, error: text(error) });
      await this.destroy();
    }
  }

  private async destroy(): Promise<void> {
    this.health?.dispose();
    this.holdings.control?.close();
    try {
      await this.holdings.handle?.destroy();
    } catch (error) {
      this.parts.log.log('error', 'remains of an instance could not be removed', {
        instanceId: this.id,
        sandboxId: this.holdings.handle?.id,
        error: text(error),
      });
    }
    for (const folder of this.holdings.folders) folder.release();
    this.apply({ type: 'destroyed' });
  }
}
