import type { IncomingHttpHeaders } from 'node:http';
import { Cancellation, toAbortSignal } from '../../core/base/cancel-signal.ts';
import type { TidemillError } from '../../core/domain/errors.ts';
import { clientGone } from './body.ts';

/** What a door reads of a request before its body. Node's IncomingMessage is one; so is what the plain parser makes. */
export interface RequestHead {
  readonly method?: string | undefined;
  /** The request target: path and query as sent. */
  readonly url?: string | undefined;
  readonly httpVersion: string;
  /** Values by lower-case name; repeated ones joined as Node does. */
  readonly headers: IncomingHttpHeaders;
  /** Repeated values apart. */
  readonly headersDistinct: Readonly<Record<string, string[] | undefined>>;
  /** Names and values as sent, in order, alternating. */
  readonly rawHeaders: readonly string[];
  readonly socket: Peer;
}

/** Who is at the other end of the connection. */
export interface Peer {
  readonly remoteAddress?: string | undefined;
}

/**
 * One request with its answer, for operations on the warm path: the same to a door whether `node:http` carries it or a
 * plain connection does. Exactly one of `send`, `answer`, `stream` and `refuse` begins the answer.
 */
export interface Exchange {
  readonly head: RequestHead;
  /** Aborted when the client leaves before the answer is complete. Made when first asked for: ask before the work begins. */
  readonly cancel: CallerLeft;
  /** The whole body, at once when it is there already. Limits, hash and failures as `readBody`. */
  body(limit: number, sha256: string | undefined): Buffer | Promise<Buffer>;
  /** The body as it comes, or all of it when it is there already. The limit holds as in `readBody`. */
  incoming(limit: number): Uint8Array | AsyncIterable<Uint8Array>;
  /** Status, header names and values alternating, and the whole body; the length is added. */
  send(status: number, headers: string[], body?: Uint8Array): void;
  /** The same with headers that say the length themselves, or have none to say (204, 304: no body is sent). */
  answer(status: number, headers: string[], body?: Uint8Array): void;
  /** The body at the client's pace, chunked unless a header says its length; stops the source when the client goes away, rejects when the source fails. */
  stream(status: number, headers: string[], source: AsyncIterable<Uint8Array>): Promise<void>;
  /** The dialect's error answer; breaks the connection when an answer has begun. `more`: header names and values alternating. Never throws. */
  refuse(requestId: string, error: TidemillError, more?: readonly string[]): void;
}

/** Tells a call that its caller left: the light form at once, a real AbortSignal only for who asks for one. */
export class CallerLeft extends Cancellation {
  private made: AbortSignal | undefined = undefined;

  leave(): void {
    this.abort(clientGone());
  }

  get signal(): AbortSignal {
    this.made ??= toAbortSignal(this);
    return this.made;
  }
}
