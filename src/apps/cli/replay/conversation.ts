import { connect, type Socket } from 'node:net';
import { encodeFrame, encodeJsonFrame, FrameDecoder } from '../../../core/protocol/frame-codec.ts';
import {
  type Attach,
  CHUNK_BYTES,
  FRAME,
  type InvokeHeader,
  type Load,
  type Loaded,
  RESULT_HEADER_BYTES,
  RESULT_STATUS,
} from '../../../core/protocol/runtime-frames.ts';

export interface Replayed {
  /** 0: the function answered; anything else: `payload` is the error. */
  readonly status: number;
  readonly payload: Buffer;
}

/** What the platform would say to the runtime, from the load of the code to the answer of one call. Output goes to `onOutput`. */
export async function converse(
  path: string,
  parts: {
    readonly load: Load;
    readonly header: InvokeHeader;
    readonly payload: Uint8Array;
    onOutput(text: string): void;
  },
): Promise<Replayed> {
  const { load, header, payload, onOutput } = parts;
  // As on the platform: the agent loads, the server calls, and a runtime takes neither from the other.
  const agent = new Peer(path, 'agent', onOutput);
  const server = new Peer(path, 'server', onOutput);
  try {
    const loaded = await agent.ask([encodeJsonFrame(FRAME.load, 0, load)], FRAME.loaded);
    const failure = stepFailure(loaded) ?? (load.initializer === '' ? undefined : await initialized(agent, header.r));
    return failure ?? (await server.ask(invokeFrames(header, payload), FRAME.result));
  } finally {
    agent.close();
    server.close();
  }
}

async function initialized(agent: Peer, requestId: string): Promise<Replayed | undefined> {
  return stepFailure(await agent.ask([encodeJsonFrame(FRAME.initialize, 0, { requestId })], FRAME.initialized));
}

function stepFailure({ payload }: Replayed): Replayed | undefined {
  const { ok, error } = JSON.parse(payload.toString('utf8')) as Loaded;
  return ok ? undefined : { status: RESULT_STATUS.unhandled, payload: Buffer.from(JSON.stringify(error)) };
}

/** One connection to the runtime. Whatever ends it rejects the question under way. */
class Peer {
  private readonly socket: Socket;
  private readonly onOutput: (text: string) => void;
  private readonly pieces: Buffer[] = [];
  private status = 0;
  private wanted = 0;
  private readonly broken = Promise.withResolvers<never>();
  private answered: (answer: Replayed) => void = () => {};

  constructor(path: string, role: Attach['role'], onOutput: (text: string) => void) {
    this.onOutput = onOutput;
    this.socket = connect(path);
    const decoder = new FrameDecoder((type, _stream, frame) => this.take(type, frame));
    this.socket.on('data', (chunk) => decoder.push(chunk));
    this.socket.once('error', this.broken.reject);
    this.socket.once('close', () => this.broken.reject(new Error('the runtime ended before it answered')));
    this.broken.promise.catch(() => {}); // nobody may be asking
    this.socket.write(encodeJsonFrame(FRAME.attach, 0, { role, epoch: 1 }));
  }

  /** Sends frames and waits for the answer of that type. */
  ask(frames: readonly Buffer[], answer: number): Promise<Replayed> {
    this.wanted = answer;
    const { promise, resolve } = Promise.withResolvers<Replayed>();
    this.answered = resolve;
    for (const frame of frames) this.socket.write(frame);
    return Promise.race([promise, this.broken.promise]);
  }

  close(): void {
    this.socket.destroy();
  }

  private take(type: number, frame: Buffer): void {
    if (type === FRAME.output) this.onOutput(frame.toString('utf8'));
    else if (type === FRAME.result) {
      this.status = frame[0] ?? RESULT_STATUS.unhandled;
      this.pieces.push(Buffer.from(frame.subarray(RESULT_HEADER_BYTES)));
      if (frame[1] === 0) this.end();
    } else if (type === FRAME.resultChunk) {
      this.pieces.push(Buffer.from(frame));
      if (frame.length === 0) this.end();
    } else if (type === this.wanted) this.answered({ status: 0, payload: Buffer.from(frame) });
  }

  private end(): void {
    this.answered({ status: this.status, payload: Buffer.concat(this.pieces) });
  }
}

/** INVOKE, and as many REQUEST_CHUNK frames as the payload needs. */
export function invokeFrames(header: InvokeHeader, payload: Uint8Array): readonly Buffer[] {
  const long = payload.length > CHUNK_BYTES;
  const head = Buffer.from(JSON.stringify(long ? { ...header, more: payload.length } : header));
  const length = Buffer.alloc(2);
  length.writeUInt16LE(head.length);
  const frames = [encodeFrame(FRAME.invoke, 1, Buffer.concat([length, head, payload.subarray(0, CHUNK_BYTES)]))];
  if (!long) return frames;
  for (let at = CHUNK_BYTES; at < payload.length; at += CHUNK_BYTES) {
    frames.push(encodeFrame(FRAME.requestChunk, 1, payload.subarray(at, at + CHUNK_BYTES)));
  }
  return [...frames, encodeFrame(FRAME.requestChunk, 1, new Uint8Array())];
}
