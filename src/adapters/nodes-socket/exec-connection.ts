import { connect, type Socket } from 'node:net';
import type { Random } from '../../core/base/random.ts';
import {
  type ExecEnd,
  type ExecListener,
  ExecRefusedError,
  type ExecRequest,
  type ExecSession,
} from '../../core/ports/exec.ts';
import { AGENT_FRAME, type AgentAnswer, type AgentRequest, EXEC_FRAME } from '../../core/protocol/agent-messages.ts';
import { encodeFrame, encodeJsonFrame, FrameDecoder } from '../../core/protocol/frame-codec.ts';
import { peerProof, sameProof } from './peer-proof.ts';

const STREAM = 1;
const NONCE_BYTES = 24;

export interface ExecOpening {
  /** The agent's socket. */
  readonly path: string;
  /** Of `peerSecret`. */
  readonly secret: Uint8Array;
  readonly random: Random;
}

/**
 * Opens a session over a connection of its own to the agent's socket, once both ends have proved who they are. Rejects with
 * `ExecRefusedError` where the agent says that it cannot be, with another error where something is broken.
 */
export function openExec(
  agent: ExecOpening,
  instanceId: string,
  request: ExecRequest,
  listener: ExecListener,
): Promise<ExecSession> {
  return new Promise((resolve, reject) => {
    const socket = connect(agent.path);
    const session = new RemoteSession(socket);
    const nonce = Buffer.from(agent.random.bytes(NONCE_BYTES)).toString('base64url');
    let open = false;
    let end: ExecEnd | undefined;
    const send = (message: AgentRequest): boolean =>
      socket.write(encodeJsonFrame(AGENT_FRAME.request, STREAM, message));
    const answered = (answer: AgentAnswer): void => {
      if (answer.ok && answer.op === 'prove') {
        const nonces = { server: nonce, agent: answer.nonce };
        if (!sameProof(answer.proof, peerProof(agent.secret, 'agent', nonces)))
          throw new Error('what listens as the agent does not belong to this installation');
        send({ op: 'exec', proof: peerProof(agent.secret, 'server', nonces), instanceId, request });
      } else if (answer.ok && answer.op === 'exec') {
        open = true;
        resolve(session);
      } else {
        const message = 'message' in answer ? answer.message : 'the agent does not know sessions';
        throw 'refused' in answer && answer.refused ? new ExecRefusedError(message) : new Error(message);
      }
    };
    const decoder = new FrameDecoder((type, _stream, payload) => {
      if (type === EXEC_FRAME.stdout || type === EXEC_FRAME.stderr) {
        if (!listener.output(type === EXEC_FRAME.stdout ? 1 : 2, Buffer.from(payload))) socket.pause();
      } else if (type === EXEC_FRAME.ended) end = JSON.parse(payload.toString('utf8')) as ExecEnd;
      else if (type === AGENT_FRAME.answer) answered(JSON.parse(payload.toString('utf8')) as AgentAnswer);
    });
    socket.on('connect', () => send({ op: 'prove', nonce }));
    socket.on('data', (chunk) => {
      try {
        decoder.push(chunk);
      } catch (error) {
        reject(error);
        socket.destroy();
      }
    });
    socket.on('drain', () => listener.drained());
    socket.on('error', (error) => {
      reject(error);
      socket.destroy();
    });
    socket.on('close', () => {
      if (open) listener.ended(end ?? {});
      else reject(new Error('the node agent went away'));
    });
  });
}

class RemoteSession implements ExecSession {
  private readonly socket: Socket;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  write(bytes: Uint8Array): boolean {
    return !this.socket.writable || this.socket.write(encodeFrame(EXEC_FRAME.input, STREAM, bytes));
  }

  end(): void {
    if (this.socket.writable) this.socket.write(encodeFrame(EXEC_FRAME.inputEnd, STREAM, new Uint8Array()));
  }

  resume(): void {
    this.socket.resume();
  }

  resize(columns: number, rows: number): void {
    if (this.socket.writable) this.socket.write(encodeJsonFrame(EXEC_FRAME.resize, STREAM, { columns, rows }));
  }

  close(): void {
    this.socket.destroy();
  }
}
