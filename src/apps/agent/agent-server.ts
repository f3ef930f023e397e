import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { peerProof, sameProof } from '../../adapters/nodes-socket/peer-proof.ts';
import type { Clock } from '../../core/base/clock.ts';
import { type Disposable, DisposableStore } from '../../core/base/disposable.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import type { InstanceExit } from '../../core/domain/instance.ts';
import {
  type FoundInstance,
  type InstanceOutput,
  InstanceStartError,
  type InstanceUsage,
  type NodeInfo,
  type NodePool,
} from '../../core/ports/node-pool.ts';
import {
  AGENT_FRAME,
  type AgentAnswer,
  type AgentEvent,
  type AgentRequest,
} from '../../core/protocol/agent-messages.ts';
import { encodeJsonFrame, FrameDecoder } from '../../core/protocol/frame-codec.ts';
import { ExecConnection } from './exec-connection.ts';

export interface AgentServerOptions {
  readonly path: string;
  readonly node: NodePool & {
    info(): NodeInfo;
    thawAll(): Promise<void>;
    onChange(listener: (node: NodeInfo) => void): Disposable;
  };
  /** Of `peerSecret`: who does not know it is no server of this installation. */
  readonly secret: Uint8Array;
  readonly random: Random;
  readonly clock: Clock;
  readonly log: Logger;
}

const NONCE_BYTES = 24;
/** Exits told again to a server that says hello, so that it learns the true reason of what happened while it was away. */
const EXITS_REMEMBERED = 500;
/** A server that reads slower than functions write loses output, never anything else. */
const OUTPUT_BACKLOG_BYTES = 8 * 1024 * 1024;
const LIST_PAGE_BYTES = 256 * 1024;
const NODE_EVENT_DELAY_MS = 50;

interface Peer {
  readonly socket: Socket;
  /** Undefined until it has said hello. */
  epoch: number | undefined;
  /** Both ends' nonces, once it has asked for our proof. */
  nonces: { readonly server: string; readonly agent: string } | undefined;
  droppedOutputs: number;
}

/**
 * The agent's socket: life-cycle requests of one or more servers, and what happens to instances told to all of them. Of
 * several servers the one with the newest epoch decides; an older one may still read, and kill what ran out of time.
 */
export class AgentServer {
  private readonly options: AgentServerOptions;
  private readonly peers = new Set<Peer>();
  private readonly subscriptions = new DisposableStore();
  private readonly recentExits: InstanceExit[] = [];
  private readonly usages: InstanceUsage[] = [];
  /** What instances wrote while no server was there, for the next one; the oldest goes first when it is too much. */
  private readonly unheard: InstanceOutput[] = [];
  private unheardBytes = 0;
  private server: Server | undefined;
  private newestEpoch = -1;
  private nodeTimer: Disposable | undefined;

  constructor(options: AgentServerOptions) {
    this.options = options;
    const { node } = options;
    this.subscriptions.add(node.onExit((exit) => this.tellExit(exit)));
    this.subscriptions.add(node.onOutput((output) => this.tellOutput(output)));
    this.subscriptions.add(node.onChange(() => this.nodeChanged()));
    this.subscriptions.add(node.onPressure((pressure) => this.tell({ type: 'pressure', pressure })));
    this.subscriptions.add(node.onUsage((usage) => this.collect(usage)));
  }

  /** Listens; a socket file that a killed agent left is replaced (the caller holds the lock). */
  async listen(): Promise<void> {
    rmSync(this.options.path, { force: true });
    const server = createServer((socket) => this.accept(socket));
    this.server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.options.path, resolve);
    });
    chmodSync(this.options.path, 0o600);
  }

  async close(): Promise<void> {
    this.subscriptions.dispose();
    this.nodeTimer?.dispose();
    const { server } = this;
    if (server === undefined) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const peer of this.peers) peer.socket.end();
    for (const peer of this.peers) peer.socket.destroySoon();
    await closed;
  }

  private accept(socket: Socket): void {
    const peer: Peer = { socket, epoch: undefined, nonces: undefined, droppedOutputs: 0 };
    this.peers.add(peer);
    let session: ExecConnection | undefined;
    const decoder = new FrameDecoder((type, stream, payload) => {
      if (session !== undefined) return session.frame(type, payload);
      if (type !== AGENT_FRAME.request) throw new Error(`unexpected frame type ${type}`);
      const request = JSON.parse(payload.toString('utf8')) as AgentRequest;
      if (request.op !== 'exec') void this.handle(peer, stream, request);
      else {
        this.checkProof(peer, request.proof);
        session = new ExecConnection(socket, this.options.node, stream, request);
      }
      return undefined;
    });
    socket.on('data', (chunk) => {
      try {
        decoder.push(chunk);
      } catch (error) {
        this.options.log.log('warn', 'a server sent something unreadable and is cut off', { error: String(error) });
        socket.destroy();
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.peers.delete(peer));
  }

  private async handle(peer: Peer, stream: number, request: AgentRequest): Promise<void> {
    let answer: AgentAnswer;
    try {
      answer = await this.perform(peer, stream, request);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (error instanceof InstanceStartError) answer = { ok: false, op: 'start', failure: error.failure };
      else if (request.op === 'start') {
        answer = { ok: false, op: 'start', failure: { kind: 'platform', message, startLog: '' } };
      } else answer = { ok: false, op: request.op, message };
    }
    this.send(peer, AGENT_FRAME.answer, stream, answer);
    if (request.op === 'start' || request.op === 'stop') this.nodeChanged();
  }

  private async perform(peer: Peer, stream: number, request: AgentRequest): Promise<AgentAnswer> {
    const { node } = this.options;
    if (request.op === 'prove') return this.prove(peer, request.nonce);
    if (request.op === 'hello') {
      this.checkProof(peer, request.proof);
      await node.thawAll();
      return this.hello(peer, request.epoch);
    }
    if (peer.epoch === undefined) throw new Error('the first request must be hello');
    const outdated = peer.epoch < this.newestEpoch;
    switch (request.op) {
      case 'start':
        if (outdated) throw new Error('a newer server has taken over this node');
        return {
          ok: true,
          op: 'start',
          started: await node.start(request.order, (address) => {
            this.send(peer, AGENT_FRAME.answer, stream, { ok: true, op: 'placed', address });
          }),
        };
      case 'stop':
        if (outdated) throw new Error('a newer server has taken over this node');
        await node.stop(request.instanceId);
        return { ok: true, op: 'stop' };
      case 'kill':
        if (outdated && request.reason !== 'timeout') throw new Error('a newer server has taken over this node');
        await node.kill(request.instanceId, request.reason);
        return { ok: true, op: 'kill' };
      case 'freeze':
      case 'shrink':
        if (outdated) throw new Error('a newer server has taken over this node');
        await node[request.op](request.instanceId);
        return { ok: true, op: request.op };
      case 'thaw':
        await node.thaw(request.instanceId);
        return { ok: true, op: 'thaw' };
      case 'exec':
        throw new Error('a session has a connection of its own');
      case 'prepare':
        await node.prepare(request.spec);
        return { ok: true, op: 'prepare' };
      case 'list':
        return this.list(peer, stream, await node.list());
    }
  }

  /** Once for each connection: the nonces of a peer stay what they are. */
  private prove(peer: Peer, nonce: unknown): AgentAnswer {
    if (typeof nonce !== 'string' || peer.nonces !== undefined) throw new Error('a proof is asked for once');
    const { random, secret } = this.options;
    const own = Buffer.from(random.bytes(NONCE_BYTES)).toString('base64url');
    peer.nonces = { server: nonce, agent: own };
    return { ok: true, op: 'prove', nonce: own, proof: peerProof(secret, 'agent', peer.nonces) };
  }

  private checkProof(peer: Peer, proof: unknown): void {
    if (peer.nonces !== undefined && sameProof(proof, peerProof(this.options.secret, 'server', peer.nonces))) return;
    this.options.log.log('error', 'something that is no server of this installation speaks to the agent');
    throw new Error('this is not a server of this installation');
  }

  private hello(peer: Peer, epoch: number): AgentAnswer {
    peer.epoch = epoch;
    this.newestEpoch = Math.max(this.newestEpoch, epoch);
    for (const output of this.unheard.splice(0)) this.send(peer, AGENT_FRAME.event, 0, { type: 'output', output });
    this.unheardBytes = 0;
    for (const exit of this.recentExits) this.send(peer, AGENT_FRAME.event, 0, { type: 'exit', exit });
    return { ok: true, op: 'hello', node: this.options.node.info() };
  }

  /** Sends all pages but the last, which is the answer. */
  private list(peer: Peer, stream: number, instances: readonly FoundInstance[]): AgentAnswer {
    let page: FoundInstance[] = [];
    let bytes = 0;
    for (const instance of instances) {
      const size = Buffer.byteLength(JSON.stringify(instance));
      if (bytes + size > LIST_PAGE_BYTES && page.length > 0) {
        const answer: AgentAnswer = { ok: true, op: 'list', instances: page, more: true };
        this.send(peer, AGENT_FRAME.answer, stream, answer);
        page = [];
        bytes = 0;
      }
      page.push(instance);
      bytes += size;
    }
    return { ok: true, op: 'list', instances: page };
  }

  private tellOutput(output: InstanceOutput): void {
    if ([...this.peers].some((peer) => peer.epoch !== undefined)) {
      this.tell({ type: 'output', output });
      return;
    }
    this.unheard.push(output);
    this.unheardBytes += output.text.length;
    while (this.unheardBytes > OUTPUT_BACKLOG_BYTES) this.unheardBytes -= this.unheard.shift()?.text.length ?? 0;
  }

  private tellExit(exit: InstanceExit): void {
    this.recentExits.push(exit);
    if (this.recentExits.length > EXITS_REMEMBERED) this.recentExits.shift();
    this.tell({ type: 'exit', exit });
    this.nodeChanged();
  }

  /** One sampling round reports instance by instance, synchronously: one event carries them all. */
  private collect(usage: InstanceUsage): void {
    this.usages.push(usage);
    if (this.usages.length > 1) return;
    queueMicrotask(() => this.tell({ type: 'usage', usages: this.usages.splice(0) }));
  }

  private nodeChanged(): void {
    this.nodeTimer ??= this.options.clock.after(NODE_EVENT_DELAY_MS, () => {
      this.nodeTimer = undefined;
      this.tell({ type: 'node', node: this.options.node.info() });
    });
  }

  private tell(event: AgentEvent): void {
    for (const peer of this.peers) {
      if (peer.epoch === undefined) continue;
      if (event.type === 'output' && !this.hasRoom(peer)) continue;
      this.send(peer, AGENT_FRAME.event, 0, event);
    }
  }

  private hasRoom(peer: Peer): boolean {
    if (peer.socket.writableLength > OUTPUT_BACKLOG_BYTES) {
      if (peer.droppedOutputs++ === 0) {
        this.options.log.log('warn', 'a server reads output too slowly: some of it is dropped');
      }
      return false;
    }
    peer.droppedOutputs = 0;
    return true;
  }

  private send(peer: Peer, type: number, stream: number, message: AgentAnswer | AgentEvent): void {
    if (peer.socket.writable) peer.socket.write(encodeJsonFrame(type, stream, message));
  }
}
