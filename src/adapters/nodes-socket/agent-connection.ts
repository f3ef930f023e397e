import { connect, type Socket } from 'node:net';
import {
  AGENT_FRAME,
  type AgentAnswer,
  type AgentEvent,
  type AgentRequest,
} from '../../core/protocol/agent-messages.ts';
import { encodeJsonFrame, FrameDecoder } from '../../core/protocol/frame-codec.ts';

export interface AgentConnectionHandlers {
  onAnswer(stream: number, answer: AgentAnswer): void;
  onEvent(event: AgentEvent): void;
  /** Once, after which nothing more arrives. */
  onClose(): void;
}

/** One connection to an agent's socket: messages in, messages out. */
export class AgentConnection {
  private readonly socket: Socket;

  private constructor(socket: Socket, handlers: AgentConnectionHandlers) {
    this.socket = socket;
    const decoder = new FrameDecoder((type, stream, payload) => {
      // The agent is of this installation and speaks this protocol; its messages are not checked field by field.
      const message: unknown = JSON.parse(payload.toString('utf8'));
      if (type === AGENT_FRAME.answer) handlers.onAnswer(stream, message as AgentAnswer);
      else if (type === AGENT_FRAME.event) handlers.onEvent(message as AgentEvent);
    });
    socket.on('data', (chunk) => {
      try {
        decoder.push(chunk);
      } catch {
        socket.destroy();
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => handlers.onClose());
  }

  /** Rejects when nobody listens at `path`. */
  static open(path: string, handlers: AgentConnectionHandlers): Promise<AgentConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new AgentConnection(socket, handlers));
      });
    });
  }

  send(stream: number, request: AgentRequest): void {
    if (this.socket.writable) this.socket.write(encodeJsonFrame(AGENT_FRAME.request, stream, request));
  }

  close(): void {
    this.socket.destroy();
  }
}
