import { type ChildProcess, spawn } from 'node:child_process';
import { type BackoffPolicy, backoffDelay } from '../../core/base/backoff.ts';
import type { Logger } from '../../core/base/log.ts';

export interface ChildOptions {
  readonly name: string;
  /** Entry file of the process. */
  readonly entry: string;
  readonly args: readonly string[];
  /** Descriptors to inherit, as 4, 5, ... (3 is the message channel). */
  readonly descriptors?: readonly number[];
  readonly env: Readonly<Record<string, string>>;
  readonly logger: Logger;
  readonly onMessage: (message: unknown) => void;
  /** The process ended by itself before it ever said it was ready: starting it again would not help. */
  readonly onHopeless: (code: number | null) => void;
}

const RESTART: BackoffPolicy = { firstMs: 50, maxMs: 5_000, factor: 2, jitter: 0 };
/** A process that ran this long starts the back-off anew. */
const SETTLED_MS = 10_000;

/** One of our processes, started again whenever it ends until `end` is called. */
export class SupervisedChild {
  private readonly options: ChildOptions;
  private process: ChildProcess | undefined;
  private ending = false;
  private restarts = 0;
  private startedAt = 0;
  private wasReady = false;
  private timer: NodeJS.Timeout | undefined;
  private readonly finished = Promise.withResolvers<void>();
  /** Of the process that was started last. */
  private up = Promise.withResolvers<boolean>();
  private gone = Promise.withResolvers<void>();

  constructor(options: ChildOptions) {
    this.options = options;
  }

  start(): void {
    const { entry, args, descriptors = [], env, name, logger } = this.options;
    this.startedAt = performance.now();
    this.up = Promise.withResolvers<boolean>();
    this.gone = Promise.withResolvers<void>();
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', entry, ...args], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...descriptors],
      env,
      // a group of its own: a terminal's interrupt reaches only the supervisor, which ends things in order
      detached: true,
    });
    this.process = child;
    child.on('message', (message) => {
      if (typeof message === 'object' && message !== null && 'type' in message && message.type === 'ready') {
        this.wasReady = true;
        this.up.resolve(true);
      }
      if (typeof message === 'object' && message !== null && 'type' in message && message.type === 'finished')
        this.finished.resolve();
      this.options.onMessage(message);
    });
    child.on('error', (error) => {
      // It may also be a message that could not be sent; only without a process there is no exit to wait for.
      if (child.pid !== undefined) return;
      logger.log('error', `cannot start the ${name}`, { error: error.message });
      this.exited(null, null);
    });
    child.on('exit', (code, signal) => this.exited(code, signal));
  }

  get pid(): number | undefined {
    return this.process?.pid;
  }

  /**
   * Tells the process to begin nothing new and to finish what runs; it is not started again from now on. Resolves when it
   * says that it has finished, when it is gone, or after `graceMs`.
   */
  async finish(graceMs: number): Promise<void> {
    this.ending = true;
    clearTimeout(this.timer);
    const child = this.process;
    if (child?.connected !== true) return;
    child.send({ type: 'finish' }, () => undefined); // one that is just ending is seen by its end
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, graceMs);
    await Promise.race([this.finished.promise, this.gone.promise, late.promise]);
    clearTimeout(timer);
  }

  /**
   * Brings the process up, at once if it waits for its turn to be started again; from now on it is not started again by
   * itself. Resolves with true when it serves; with false when it never did before, ends first, or takes longer than `limitMs`.
   */
  async serving(limitMs: number): Promise<boolean> {
    this.ending = true;
    clearTimeout(this.timer);
    if (!this.wasReady) return false;
    if (!this.alive()) this.start();
    const late = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => late.resolve(false), limitMs);
    const serves = await Promise.race([this.up.promise, this.gone.promise.then(() => false), late.promise]);
    clearTimeout(timer);
    return serves;
  }

  private alive(): boolean {
    const child = this.process;
    return child?.pid !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** Tells the process to end, kills it after `graceMs`; resolves when it is gone, with whether it ended in order. */
  async end(graceMs: number): Promise<boolean> {
    this.ending = true;
    clearTimeout(this.timer);
    const child = this.process;
    if (child === undefined || !this.alive()) return false;
    child.kill('SIGTERM');
    const cut = setTimeout(() => child.kill('SIGKILL'), graceMs);
    await this.gone.promise;
    clearTimeout(cut);
    return child.exitCode === 0;
  }

  private exited(code: number | null, signal: NodeJS.Signals | null): void {
    const { name, logger } = this.options;
    if (this.ending) {
      this.gone.resolve();
      return;
    }
    if (!this.wasReady && signal === null) {
      this.options.onHopeless(code);
      return;
    }
    if (performance.now() - this.startedAt > SETTLED_MS) this.restarts = 0;
    const delay = backoffDelay(RESTART, this.restarts++, 0);
    logger.log('warn', `the ${name} ended and is started again`, { code, signal, delayMs: delay });
    this.timer = setTimeout(() => this.start(), delay);
  }
}
