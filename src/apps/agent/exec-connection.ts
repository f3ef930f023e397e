import type { Socket } from 'node:net';
import { ExecRefusedError, type ExecSession } from '../../core/ports/exec.ts';
import type { NodePool } from '../../core/ports/node-pool.ts';
import { AGENT_FRAME, type AgentAnswer, type AgentRequest, EXEC_FRAME } from '../../core/protocol/agent-messages.ts';
import { encodeFrame, encodeJsonFrame } from '../../core/protocol/frame-codec.ts';

/** One session of a server, on a connection of its own: it ends with the connection, and the connection with it. */
export class ExecConnection {
  private readonly socket: Socket;
  private session: ExecSession | undefined;
  private closed = false;

  constructor(
    socket: Socket,
    node: Pick<NodePool, 'exec'>,
    stream: number,
    { instanceId, request }: Extract<AgentRequest, { op: 'exec' }>,
  ) {
    this.socket = socket;
    socket.on('close', () => {
      this.closed = true;
      this.session?.close();
    });
    socket.on('drain', () => this.session?.resume());
    const opening = node.exec(instanceId, request, {
      output: (channel, bytes) => {
        // Nobody reads any more: what still comes is dropped, so that the session can end.
        if (!socket.writable) return true;
        return socket.write(encodeFrame(channel === 1 ? EXEC_FRAME.stdout : EXEC_FRAME.stderr, stream, bytes));
      },
      drained: () => socket.resume(),
      ended: (end) => {
        if (socket.writable) socket.end(encodeJsonFrame(EXEC_FRAME.ended, stream, end));
      },
    });
    opening.then(
      (session) => {
        this.session = session;
        this.answer(stream, { ok: true, op: 'exec' });
        if (this.closed) session.close();
      },
      (error: unknown) => {
        const message = error instanceof Error ? error.message : String(error);
        this.answer(stream, { ok: false, op: 'exec', refused: error instanceof ExecRefusedError, message });
        socket.end();
      },
    );
  }

  /** A frame of the server, after its request. */
  frame(type: number, payload: Buffer): void {
    const { session } = this;
    if (session === undefined) throw new Error('input came before the session was open');
    if (type === EXEC_FRAME.input) {
      if (!session.write(Buffer.from(payload))) this.socket.pause();
    } else if (type === EXEC_FRAME.inputEnd) session.end();
    else if (type === EXEC_FRAME.resize) {
      const { columns, rows } = JSON.parse(payload.toString('utf8')) as { columns: number; rows: number };
      session.resize(columns, rows);
    } else throw new Error(`unexpected frame type ${type}`);
  }

  private answer(stream: number, answer: AgentAnswer): void {
    if (this.socket.writable) this.socket.write(encodeJsonFrame(AGENT_FRAME.answer, stream, answer));
  }
}
