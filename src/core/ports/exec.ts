/** What somebody wants to run inside an instance that runs already. */
export interface ExecRequest {
  /** Program and arguments; at least one. */
  readonly command: readonly string[];
  /** With a terminal: one stream in, one out, and the kernel's line discipline between. */
  readonly tty: boolean;
  /** False: standard input is empty. */
  readonly stdin: boolean;
  /** Size of the terminal. */
  readonly columns: number;
  readonly rows: number;
  /** Variables beyond those that the instance was made with. */
  readonly env: Readonly<Record<string, string>>;
}

/** Cannot be done here, and why: the instance is gone, or its kind of sandbox has no way in. The message is for the caller. */
export class ExecRefusedError extends Error {
  override readonly name = 'ExecRefusedError';
}

/** How a session ended. `exitCode` is 128 + the signal's number for a killed process; absent: the session was cut off. */
export interface ExecEnd {
  readonly exitCode?: number;
}

/** Who is told what happens in a session. */
export interface ExecListener {
  /** 1: standard output, or the terminal. 2: standard error. The bytes are the listener's. False: no more until `resume`. */
  output(channel: 1 | 2, bytes: Uint8Array): boolean;
  /** After a `write` that answered false: there is room again. */
  drained(): void;
  /** Once, after the last output. */
  ended(end: ExecEnd): void;
}

/**
 * A process that runs beside the function in its sandbox, with the rights of the function and none more. It and whatever it has
 * started end with the session, whoever dies first.
 */
export interface ExecSession {
  /** Standard input. False: wait for `drained`. */
  write(bytes: Uint8Array): boolean;
  /** No more input. */
  end(): void;
  /** The listener wants output again. */
  resume(): void;
  resize(columns: number, rows: number): void;
  /** Ends it now. Idempotent. */
  close(): void;
}
