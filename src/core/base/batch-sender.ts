/** Fewer calls than these in one turn are no crowd: they are not held back. */
const GATHER_FROM = 4;

interface Pending<Call> {
  readonly call: Call;
  readonly weight: number;
  settle(answer: unknown, bytes: Uint8Array | undefined): void;
  reject(error: Error): void;
}

/** `now`: monotonic milliseconds. */
export interface Gathering {
  readonly maxMs: number;
  now(): number;
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
  /**
   * How long a batch is held back while each turn of `defer` brings further calls: a caller that is served beside many others waits a
   * little, and all of them pay for fewer batches. One that comes alone goes at once. Default: never.
   */
  readonly gather?: Gathering;
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
    // Whoever came meanwhile goes at once, unless more of them are worth a turn of waiting.
    if (this.options.gather === undefined || this.length >= this.options.maxCalls) this.flush();
    else if (this.length > 0) this.schedule();
  }

  private schedule(): void {
    if (this.deferred || this.inFlight.length >= this.options.maxInFlight) return;
    this.deferred = true;
    this.collect(0, undefined);
  }

  /** Sends what waits once a turn brought nothing new, their time is over (monotonic), or a batch is full. */
  private collect(before: number, until: number | undefined): void {
    this.options.defer(() => {
      const { length } = this;
      const { gather, maxCalls } = this.options;
      if (gather !== undefined && length > before && length >= GATHER_FROM && length < maxCalls) {
        const now = gather.now();
        if (until === undefined || now < until) {
          this.collect(length, until ?? now + gather.maxMs);
          return;
        }
      }
      this.deferred = false;
      this.flush();
    });
  }

  /** Calls that wait to be sent. */
  private get length(): number {
    return this.waiting.length - this.head;
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
