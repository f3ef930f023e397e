import type { Clock } from '../../core/base/clock.ts';
import type { Disposable } from '../../core/base/disposable.ts';
import { Emitter } from '../../core/base/emitter.ts';
import { LinkBrokenError } from '../../core/ports/instance-link.ts';
import { type RuntimeControl, RuntimeTimeoutError } from '../../core/ports/runtime-control.ts';
import { encodeJsonFrame } from '../../core/protocol/frame-codec.ts';
import {
  FRAME,
  type Hello,
  type Initialize,
  type Initialized,
  type Load,
  type Loaded,
  type PreStop,
  type PreStopped,
} from '../../core/protocol/runtime-frames.ts';
import type { Attachment } from './attachment.ts';
import type { FrameConnection } from './frame-connection.ts';

interface PendingStep {
  readonly answer: number;
  resolve(outcome: unknown): void;
  reject(error: Error): void;
  readonly timer: Disposable;
}

/** RuntimeControl of a built-in runtime: the agent's connection to its shim. */
export class FramesControl implements RuntimeControl {
  readonly hello: Hello;
  readonly closed: Promise<void>;
  private readonly connection: FrameConnection;
  private readonly clock: Clock;
  private readonly end = Promise.withResolvers<void>();
  private readonly output = new Emitter<string>();
  private readonly steps = new Map<number, PendingStep>();
  private nextStream = 1;

  constructor(attachment: Attachment, clock: Clock) {
    this.connection = attachment.connection;
    this.hello = attachment.hello;
    this.clock = clock;
    this.closed = this.end.promise;
    attachment.handOver({
      onFrame: (type, stream, payload) => this.onFrame(type, stream, payload),
      onClosed: () => this.onClosed(),
    });
  }

  load(load: Load, timeoutMs: number): Promise<Loaded> {
    return this.step<Loaded>('load', FRAME.load, FRAME.loaded, load, timeoutMs);
  }

  initialize(initialize: Initialize, timeoutMs: number): Promise<Initialized> {
    return this.step<Initialized>('initializer', FRAME.initialize, FRAME.initialized, initialize, timeoutMs);
  }

  preStop(preStop: PreStop, timeoutMs: number): Promise<PreStopped> {
    return this.step<PreStopped>('pre-stop hook', FRAME.preStop, FRAME.preStopped, preStop, timeoutMs);
  }

  async trim(timeoutMs: number): Promise<void> {
    await this.step('trim', FRAME.trim, FRAME.trimmed, {}, timeoutMs);
  }

  checkHealth(): Promise<{ ok: boolean; detail: string }> {
    return Promise.resolve({ ok: this.connection.isOpen, detail: this.connection.isOpen ? '' : 'connection closed' });
  }

  onOutput(listener: (text: string) => void): Disposable {
    return this.output.subscribe(listener);
  }

  close(): void {
    this.connection.close();
  }

  private step<T>(name: string, type: number, answer: number, request: unknown, timeoutMs: number): Promise<T> {
    if (!this.connection.isOpen) return Promise.reject(ended(name));
    return new Promise<T>((resolve, reject) => {
      const stream = this.nextStream++;
      const timer = this.clock.after(timeoutMs, () => {
        this.steps.delete(stream);
        reject(new RuntimeTimeoutError(`the ${name} did not finish within ${timeoutMs} ms`));
      });
      this.steps.set(stream, { answer, resolve: (outcome) => resolve(outcome as T), reject, timer });
      this.connection.send(encodeJsonFrame(type, stream, request), false);
    });
  }

  private onFrame(type: number, stream: number, payload: Buffer): void {
    if (type === FRAME.output) return this.output.emit(payload.toString());
    const step = this.steps.get(stream);
    if (step === undefined || step.answer !== type) return;
    this.steps.delete(stream);
    step.timer.dispose();
    step.resolve(JSON.parse(payload.toString()));
  }

  private onClosed(): void {
    this.end.resolve();
    for (const step of this.steps.values()) {
      step.timer.dispose();
      step.reject(ended('step'));
    }
    this.steps.clear();
  }
}

function ended(name: string): LinkBrokenError {
  return new LinkBrokenError(`the runtime ended before the ${name} had finished`);
}
