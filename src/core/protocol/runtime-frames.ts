/**
 * Bytes between the platform and a runtime inside a sandbox, over the instance's own Unix socket. The runtime listens; the
 * agent (life cycle) and the server (calls) each dial and start with ATTACH.
 *
 *   frame = u32le length of payload | u8 type | u32le stream | payload
 *
 * `stream` numbers a call within one connection; 0 for frames about the instance. Frames are written in batches: a writer
 * joins what it has for one system call. Payloads above CHUNK_BYTES travel as a head frame with `more` set, then CHUNK
 * frames, the last one empty. Runtimes in other languages mirror this file; test/core/protocol holds the vectors.
 */
export const FRAME_HEADER_BYTES = 9;
export const CHUNK_BYTES = 256 * 1024;
/** A peer that announces a longer payload is broken or hostile: the connection is closed. */
export const MAX_FRAME_BYTES = 1024 * 1024;

export const FRAME = {
  // platform -> runtime
  /** JSON Attach. First frame of every connection. */
  attach: 0x01,
  /** JSON Load. Agent only, once. */
  load: 0x02,
  /** JSON Initialize. Agent only, once, after LOADED; only when an initializer is configured. */
  initialize: 0x03,
  /** u16le header length | JSON InvokeHeader | payload bytes. */
  invoke: 0x04,
  /** Continuation of an INVOKE payload (`more`); empty = end. */
  requestChunk: 0x05,
  /** The caller no longer waits; the runtime may ignore it. */
  cancel: 0x06,
  /** JSON PreStop. Agent only. */
  preStop: 0x07,
  /** Empty. Agent only, while no call runs: give back memory that can be done without. */
  trim: 0x08,
  /** Empty. Do not begin the call `stream`: answered by REVOKED, or by its RESULT when it has begun. */
  revoke: 0x09,
  // runtime -> platform
  /** JSON Hello, the answer to ATTACH. */
  hello: 0x41,
  /** JSON Loaded, the answer to LOAD. */
  loaded: 0x42,
  /** JSON Initialized, the answer to INITIALIZE. */
  initialized: 0x43,
  /** UTF-8 output of the call `stream` (0: outside any call). */
  output: 0x44,
  /** u8 status | u8 more | u16le RESULT_FLAG bits | u32le peak resident KiB | payload bytes. */
  result: 0x45,
  /** Continuation of a RESULT payload (`more`); empty = end. */
  resultChunk: 0x46,
  /** JSON PreStopped, the answer to PRE_STOP. */
  preStopped: 0x47,
  /** The call's epoch was older than one already seen: it was not run. */
  stale: 0x48,
  /** A call that an earlier connection had started has ended (JSON {requestId}). */
  ended: 0x49,
  /** JSON {}, the answer to TRIM. */
  trimmed: 0x4a,
  /** Empty, the answer to REVOKE: the call had not begun and never will. */
  revoked: 0x4b,
} as const;

export const RESULT_STATUS = { ok: 0, handled: 1, unhandled: 2 } as const;
export const RESULT_HEADER_BYTES = 8;
/**
 * `exits`: the process ends right after this result; the platform side waits for the end before it gives the answer.
 * `quick`: the runtime runs calls one at a time in the order of their INVOKE frames, and this one took less than 0.2 ms: others
 * may be sent behind the running one. Each answer is handed to the kernel before the next call begins.
 */
export const RESULT_FLAG = { exits: 1, quick: 2 } as const;

export interface Attach {
  readonly role: 'agent' | 'server';
  /** Of the attaching process; a runtime refuses calls below the highest it has seen. */
  readonly epoch: number;
}

export interface Hello {
  readonly protocol: 1;
  readonly runtime: string;
  readonly state: 'booted' | 'loaded';
  /** Calls still running for earlier connections. */
  readonly busy: readonly string[];
}

/** Everything that stays the same for all calls of an instance. Field names match the context objects of FC (4.1, 4.2). */
export interface Load {
  /** The runtime id as configured, e.g. `python3.12`: the shape of the context depends on it (FC reference 4.2). */
  readonly runtime: string;
  /** Calls that may run at once; above 1 the runtime keeps the output of each call apart where its language can. */
  readonly concurrency: number;
  /** `file.method`, relative to codePath. */
  readonly handler: string;
  readonly codePath: string;
  /** Replaces the process environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly function: {
    readonly name: string;
    readonly handler: string;
    readonly memory: number;
    readonly timeout: number;
  };
  readonly service: { readonly logProject: string; readonly logStore: string; readonly versionId: string };
  readonly region: string;
  readonly accountId: string;
  /** Handler names of the hooks, empty when off. */
  readonly initializer: string;
  readonly preStop: string;
  /** What `FC Initialize`/load output is attributed to. */
  readonly requestId: string;
}

/** The field's error payload (FC reference 4.1, 4.2); `stackTrace` has the language's own shape. */
export interface ErrorPayload {
  readonly errorMessage: string;
  readonly errorType: string;
  readonly stackTrace: unknown;
}

export interface Loaded {
  readonly ok: boolean;
  readonly error?: ErrorPayload;
  readonly ms: number;
}

export interface CredentialsFrame {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken: string;
}

export interface Initialize {
  readonly requestId: string;
  readonly credentials?: CredentialsFrame;
}

export interface Initialized {
  readonly ok: boolean;
  readonly error?: ErrorPayload;
  readonly ms: number;
}

/**
 * The JSON head of an INVOKE frame. Links write it by hand, field by field: this is what they and the runtimes must agree on.
 *
 * @public
 */
export interface InvokeHeader {
  /** Request id. */
  readonly r: string;
  /** Epoch of the lease. */
  readonly e: number;
  /** Qualifier as the caller asked for it. */
  readonly q: string;
  /** Retry count. */
  readonly n: number;
  /** Deadline, wall-clock milliseconds. */
  readonly d: number;
  /** Total payload bytes when the payload continues in REQUEST_CHUNK frames; absent otherwise. */
  readonly more?: number;
  /** Only when changed since the last call on this connection. */
  readonly c?: CredentialsFrame;
}

export interface PreStop {
  readonly requestId: string;
}

export interface PreStopped {
  readonly ok: boolean;
  readonly error?: ErrorPayload;
  readonly ms: number;
}
