import { BatchSender, type Gathering } from './batch-sender.ts';

/** Another thread (or process) as its owner sees it; adapters make one from what their platform offers. */
export interface Thread {
  post(message: unknown, transfer: readonly ArrayBuffer[]): void;
  onMessage(listener: (message: unknown) => void): void;
  /** Called once when the thread is gone; with the error when it died of one. */
  onEnd(listener: (error: Error | undefined) => void): void;
  /** Whether the thread keeps the process alive. */
  hold(yes: boolean): void;
}

/** The owner as the thread sees it. */
export interface ThreadOwner {
  post(message: unknown, transfer: readonly ArrayBuffer[]): void;
  onMessage(listener: (message: unknown) => void): void;
}

interface Order {
  readonly type: 'batch' | 'close';
  readonly calls: readonly unknown[];
  readonly bytes: Uint8Array | undefined;
}

type Reply =
  | { readonly type: 'ready' }
  | { readonly type: 'answers'; readonly answers: readonly unknown[]; readonly bytes: Uint8Array | undefined }
  | { readonly type: 'refused'; readonly message: string };

/** What runs inside the thread. */
export interface BatchHandler<WireCall> {
  /** One batch, all or nothing: throwing means that nothing of it took effect. */
  run(
    calls: readonly WireCall[],
    bytes: Uint8Array | undefined,
  ): { readonly answers: readonly unknown[]; readonly bytes?: Uint8Array<ArrayBuffer> };
  /** Housekeeping that must not delay an answer; called after the answers have been sent. */
  afterwards(): void;
  /** Releases everything, the owner's port included, so that the thread ends. */
  close(): void;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Runs inside the thread: `open` makes the handler, then batches are answered in order until told to close. */
export function serveBatches<WireCall>(owner: ThreadOwner, open: () => BatchHandler<WireCall>): void {
  const reply = (message: Reply, transfer: readonly ArrayBuffer[] = []) => owner.post(message, transfer);
  let handler: BatchHandler<WireCall>;
  try {
    handler = open();
  } catch (error) {
    reply({ type: 'refused', message: messageOf(error) });
    return;
  }
  owner.onMessage((message) => {
    const order = message as Order;
    if (order.type === 'close') {
      handler.close();
      return;
    }
    try {
      const { answers, bytes } = handler.run(order.calls as readonly WireCall[], order.bytes);
      reply({ type: 'answers', answers, bytes }, bytes === undefined ? [] : [bytes.buffer]);
    } catch (error) {
      reply({ type: 'refused', message: messageOf(error) });
    }
    handler.afterwards();
  });
  reply({ type: 'ready' });
}

export interface BatchThreadOptions<Call> {
  readonly thread: Thread;
  readonly defer: (action: () => void) => void;
  /** Turns calls into what travels: plain data, and the bytes of all of them in one buffer. */
  readonly encode: (calls: readonly Call[]) => {
    readonly calls: readonly unknown[];
    readonly bytes?: Uint8Array<ArrayBuffer>;
  };
  /** Turns the text of a failure into the error that callers get. */
  readonly failure: (message: string) => Error;
  readonly maxCalls: number;
  /** See BatchOptions. */
  readonly gather?: Gathering;
  readonly maxWeight: number;
}

/** The owner's end: calls go in batches to the thread, a dead thread rejects everything, closing waits for what is under way. */
export class BatchThread<Call> {
  private readonly options: BatchThreadOptions<Call>;
  private readonly sender: BatchSender<Call>;
  private readonly ended: Promise<void>;
  private started: { resolve: () => void; reject: (error: Error) => void } | undefined;
  private closing = false;

  private constructor(options: BatchThreadOptions<Call>) {
    this.options = options;
    const { thread } = options;
    this.sender = new BatchSender<Call>({
      send: (calls) => this.send(calls),
      defer: options.defer,
      busy: (yes) => thread.hold(yes),
      maxInFlight: 2,
      maxCalls: options.maxCalls,
      ...(options.gather === undefined ? {} : { gather: options.gather }),
      maxWeight: options.maxWeight,
    });
    thread.onMessage((message) => this.received(message as Reply));
    this.ended = new Promise((resolve) => {
      thread.onEnd((error) => {
        const failure = options.failure(
          this.closing ? 'it is closed' : `its thread ended (${error?.message ?? 'exit'})`,
        );
        this.started?.reject(failure);
        this.sender.end(failure);
        resolve();
      });
    });
  }

  /** Resolves once the thread has opened what it works on; rejects with its reason if it cannot. */
  static async start<Call>(options: BatchThreadOptions<Call>): Promise<BatchThread<Call>> {
    const client = new BatchThread(options);
    await new Promise<void>((resolve, reject) => {
      client.started = { resolve, reject };
    });
    client.started = undefined;
    options.thread.hold(false);
    return client;
  }

  call<Answer, Result>(
    call: Call,
    weight: number,
    read: (answer: Answer, bytes: Uint8Array | undefined) => Result,
  ): Promise<Result> {
    if (this.closing) return Promise.reject(this.options.failure('it is closed'));
    return this.sender.call(call, weight, read);
  }

  /** Lets every call made so far end, then closes the thread. May be called more than once. */
  async close(): Promise<void> {
    if (!this.closing) {
      this.closing = true;
      await this.sender.idle();
      this.options.thread.hold(true);
      const order: Order = { type: 'close', calls: [], bytes: undefined };
      this.options.thread.post(order, []);
    }
    await this.ended;
  }

  private send(calls: readonly Call[]): void {
    const { calls: wire, bytes } = this.options.encode(calls);
    const order: Order = { type: 'batch', calls: wire, bytes };
    this.options.thread.post(order, bytes === undefined ? [] : [bytes.buffer]);
  }

  private received(reply: Reply): void {
    switch (reply.type) {
      case 'ready':
        this.started?.resolve();
        return;
      case 'answers':
        this.sender.answered(reply.answers, reply.bytes);
        return;
      case 'refused':
        if (this.started !== undefined) this.started.reject(this.options.failure(reply.message));
        else this.sender.refused(this.options.failure(reply.message));
        return;
    }
  }
}
