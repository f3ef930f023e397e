import type { Clock } from '../../core/base/clock.ts';
import { LinkBrokenError } from '../../core/ports/instance-link.ts';
import { encodeJsonFrame } from '../../core/protocol/frame-codec.ts';
import { type Attach, FRAME, type Hello } from '../../core/protocol/runtime-frames.ts';
import { FrameConnection, type FrameConnectionOwner } from './frame-connection.ts';

/** A runtime answers ATTACH from its event loop; one that does not within this time is not alive. */
const HELLO_TIMEOUT_MS = 30_000;

interface EarlyFrame {
  readonly type: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** A connection on which ATTACH and HELLO have been exchanged. */
export interface Attachment {
  readonly connection: FrameConnection;
  readonly hello: Hello;
  /** Names who hears from the connection now on; what arrived in between is replayed. */
  handOver(owner: FrameConnectionOwner): void;
}

/** Dials the runtime and attaches. Rejects with LinkBrokenError when nothing listens or no HELLO comes. */
export async function attach(path: string, attachFrame: Attach, clock: Clock): Promise<Attachment> {
  const early: EarlyFrame[] = [];
  const hello = Promise.withResolvers<Hello>();
  hello.promise.catch(() => {}); // the dialer may already have failed for a better reason
  let owner: FrameConnectionOwner | undefined;
  let gone: { readonly readAll: boolean } | undefined;
  const connection = await FrameConnection.connect(path, {
    onFrame(type, stream, payload) {
      if (owner !== undefined) owner.onFrame(type, stream, payload);
      else if (type === FRAME.hello) hello.resolve(JSON.parse(payload.toString()) as Hello);
      else early.push({ type, stream, payload: Buffer.from(payload) });
    },
    onClosed(readAll) {
      gone = { readAll };
      hello.reject(new LinkBrokenError('the runtime closed the connection instead of answering'));
      owner?.onClosed(readAll);
    },
  });
  const timer = clock.after(HELLO_TIMEOUT_MS, () => {
    hello.reject(new LinkBrokenError(`the runtime did not answer within ${HELLO_TIMEOUT_MS} ms`));
    connection.close();
  });
  connection.send(encodeJsonFrame(FRAME.attach, 0, attachFrame), false);
  try {
    const answer = await hello.promise;
    return {
      connection,
      hello: answer,
      handOver(next) {
        owner = next;
        for (const frame of early.splice(0)) next.onFrame(frame.type, frame.stream, frame.payload);
        if (gone !== undefined) next.onClosed(gone.readAll);
      },
    };
  } finally {
    timer.dispose();
  }
}
