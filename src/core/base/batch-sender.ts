interface Pending<Call> {
  readonly call: Call;
  readonly weight: number;
  settle(answer: unknown, bytes: Uint8Array | undefined): void;
  reject(error: Error): void;
}

export interface BatchOptions<Call> {
  /** Hands one batch on; its answers come back through `answered` or `refused`, batches in the order they were sent. */
  send(calls: readonly Call[]): void;
  /** Runs the action soon, after what is already on its way has been collected (`setImmediate`). */
  defer(action: () => void): void;
  /** Told when the first call starts waiting for an answer (true) and when none waits any more (false). */
  busy(yes: boolean): void;
  /** Batches under way at once: two keep the other side working while answers of the first are handled here. */
  readonly maxInFlight: number;
  readonly maxCalls: number;
  /** Sum of weights (bytes, say) from which a batch is full. A heavier single call still travels, alone. */
  readonly maxWeight: number;
}

/**
 * The near side of group commit: collects the calls that are waiting, sends them as one batch, answers each. Calls keep
 * their order. While batches are under way newcomers wait, so batches grow by themselves with the load.
 */
export class BatchSender<Call> {
  private readonly options: BatchOptions<Call>;
  private waiting: Pending<Call>[] = [];
  private head = 0;
  private readonly inFlight: (readonly Pending<Call>[])[] = [];
  private deferred = false;
  private count = 0;
  private ended: Error | undefined;
  private idleListeners: (() => void)[] = [];

  constructor(options: BatchOptions<Call>) {
    this.options = options;
  }

  /**
   * `read` turns the far side's answer (and the bytes that came with its batch) into the result. It runs in the order of
   * the calls and before any promise of the batch resolves.
   */
  call<Answer, Result>(
    call: Call,
    weight: number,
    read: (answer: Answer, bytes: Uint8Array | undefined) => Result,
  ): Promise<Result> {
    if (this.ended !== undefined) return Promise.reject(this.ended);
    return new Promise((resolve, reject) => {
      this.waiting.push({
        call,
        weight,
        // The far side answers each call with what its operation promises; that is the one place types cannot follow.
        settle: (answer, bytes) => resolve(read(answer as Answer, bytes)),
        reject,
      });
      this.count++;
      if (this.count === 1) this.options.busy(true);
      this.schedule();
    });
  }

  /** Answers of the oldest batch under way, one per call. */
  answered(answers: readonly unknown[], bytes: Uint8Array | undefined): void {
    const batch = this.inFlight.shift() ?? [];
    for (const [index, pending] of batch.entries()) {
      try {
        pending.settle(answers[index], bytes);
      } catch (error) {
        pending.reject(error instanceof Error ? error : new Error(String(error)));
      }
    }
    this.done(batch.length);
  }

  /** The oldest batch under way failed as a whole: nothing of it took effect. */
  refused(error: Error): void {
    const batch = this.inFlight.shift() ?? [];
    for (const pending of batch) pending.reject(error);
    this.done(batch.length);
  }

  /** The far side is gone: everything waiting and every later call rejects with `error`. */
  end(error: Error): void {
    if (this.ended !== undefined) return;
    this.ended = error;
    const pending = [...this.inFlight.flat(), ...this.waiting.slice(this.head)];
    this.inFlight.length = 0;
    this.waiting = [];
    this.head = 0;
    for (const each of pending) each.reject(error);
    this.done(pending.length);
  }

  /** Resolves when no call waits for an answer. */
  idle(): Promise<void> {
    if (this.count === 0) return Promise.resolve();
    return new Promise((resolve) => this.idleListeners.push(resolve));
  }

  private done(count: number): void {
    if (count > 0) {
      this.count -= count;
      if (this.count === 0) {
        this.options.busy(false);
        for (const listener of this.idleListeners.splice(0)) listener();
      }
    }
    this.flush();
  }

  private schedule(): void {
    if (this.deferred || this.inFlight.length >= this.options.maxInFlight) return;
    this.deferred = true;
    this.options.defer(() => {
      this.deferred = false;
      this.flush();
    });
  }

  private flush(): void {
    while (this.head < this.waiting.length && this.inFlight.length < this.options.maxInFlight) {
      const batch = this.take();
      this.inFlight.push(batch);
      this.options.send(batch.map((pending) => pending.call));
    }
  }

  private take(): readonly Pending<Call>[] {
    const start = this.head;
    let weight = 0;
    while (this.head < this.waiting.length && this.head - start < this.options.maxCalls) {
      const next = this.waiting[this.head];
      if (next === undefined || (this.head > start && weight + next.weight > this.options.maxWeight)) break;
      weight += next.weight;
      this.head++;
    }
    const batch = this.waiting.slice(start, this.head);
    // Dropping the taken part only once it is the larger half keeps this linear however long the line is.
    if (this.head * 2 >= this.waiting.length) {
      this.waiting = this.waiting.slice(this.head);
      this.head = 0;
    }
    return batch;
  }
}
