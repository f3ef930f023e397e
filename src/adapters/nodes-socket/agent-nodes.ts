import { type BackoffPolicy, backoffDelay } from '../../core/base/backoff.ts';
import type { Clock } from '../../core/base/clock.ts';
import type { Disposable } from '../../core/base/disposable.ts';
import { Emitter } from '../../core/base/emitter.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import type { InstanceAddress, InstanceExit } from '../../core/domain/instance.ts';
import type { VersionSpec } from '../../core/domain/version-spec.ts';
import type { ExecListener, ExecRequest, ExecSession } from '../../core/ports/exec.ts';
import {
  type FoundInstance,
  type InstanceOutput,
  InstanceStartError,
  type InstanceUsage,
  type NodeInfo,
  type NodePool,
  type NodePressure,
  type StartedInstance,
  type StartOrder,
} from '../../core/ports/node-pool.ts';
import type { AgentAnswer, AgentEvent, AgentRequest } from '../../core/protocol/agent-messages.ts';
import { AgentConnection } from './agent-connection.ts';
import { openExec } from './exec-connection.ts';
import { peerProof, sameProof } from './peer-proof.ts';
import { LiveInstances } from './live-instances.ts';

export interface AgentNodesOptions {
  /** The agent's socket. */
  readonly path: string;
  /** Of this server; the agent obeys the newest. */
  readonly epoch: number;
  /** How long a request waits for an agent that is away, milliseconds. */
  readonly patienceMs: number;
  /** Of `peerSecret`: who does not know it is no agent of this installation. */
  readonly secret: Uint8Array;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

interface Pending {
  readonly request: AgentRequest;
  readonly settle: PromiseWithResolvers<AgentAnswer>;
  /** Pages of a long list so far. */
  found: FoundInstance[];
  /** Runs while the request waits for the agent. */
  timer: Disposable | undefined;
  readonly onAddress: ((address: InstanceAddress) => void) | undefined;
}

const RECONNECT: BackoffPolicy = { firstMs: 20, maxMs: 1_000, factor: 1.6, jitter: 0.3 };

const NONCE_BYTES = 24;

/** The agent stayed away longer than a request waits for it. */
export class AgentAwayError extends Error {
  override readonly name = 'AgentAwayError';
}

/**
 * The node pool of one machine: its agent, over the agent's Unix socket. When the agent goes away, requests wait and are
 * sent again once it is back (each may be repeated), and what ended meanwhile is announced from the agent's list.
 */
export class AgentNodes implements NodePool {
  private readonly options: AgentNodesOptions;
  private readonly pending = new Map<number, Pending>();
  private readonly live = new LiveInstances();
  private readonly exits = new Emitter<InstanceExit>();
  private readonly outputs = new Emitter<InstanceOutput>();
  private readonly usages = new Emitter<InstanceUsage>();
  private readonly pressures = new Emitter<NodePressure>();
  private readonly ups = new Emitter<NodeInfo>();
  private connection: AgentConnection | undefined;
  /** True once the agent at the other end has shown that it is ours. */
  private proven = false;
  /** True once hello and the first list are through. */
  private up = false;
  private node: NodeInfo | undefined;
  private nextStream = 1;
  private attempts = 0;
  private retryTimer: Disposable | undefined;
  private awayTimer: Disposable | undefined;
  private closed = false;

  constructor(options: AgentNodesOptions) {
    this.options = options;
    void this.connect();
  }

  nodes(): readonly NodeInfo[] {
    return this.node === undefined ? [] : [this.node];
  }

  async start(order: StartOrder, onAddress?: (address: InstanceAddress) => void): Promise<StartedInstance> {
    let answer: AgentAnswer;
    try {
      answer = await this.request({ op: 'start', order }, onAddress);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw new InstanceStartError({ kind: 'platform', message, startLog: '' });
    }
    if (!answer.ok || answer.op !== 'start') throw startError(answer);
    return answer.started;
  }

  async stop(instanceId: string): Promise<void> {
    this.live.asked(instanceId, 'stopped');
    done(await this.request({ op: 'stop', instanceId }));
  }

  async kill(instanceId: string, reason: 'timeout' | 'killed'): Promise<void> {
    this.live.asked(instanceId, reason);
    done(await this.request({ op: 'kill', instanceId, reason }));
  }

  async freeze(instanceId: string): Promise<void> {
    done(await this.request({ op: 'freeze', instanceId }));
  }

  async thaw(instanceId: string): Promise<void> {
    done(await this.request({ op: 'thaw', instanceId }));
  }

  async shrink(instanceId: string): Promise<void> {
    done(await this.request({ op: 'shrink', instanceId }));
  }

  exec(instanceId: string, request: ExecRequest, listener: ExecListener): Promise<ExecSession> {
    return openExec(this.options, instanceId, request, listener);
  }

  async prepare(spec: VersionSpec): Promise<void> {
    done(await this.request({ op: 'prepare', spec }));
  }

  async list(): Promise<readonly FoundInstance[]> {
    const answer = await this.request({ op: 'list' });
    done(answer);
    if (answer.op !== 'list' || !answer.ok) return [];
    for (const { instanceId, source } of answer.instances) this.live.add(instanceId, source);
    return answer.instances;
  }

  sourceOf(instanceId: string): string | undefined {
    return this.live.sourceOf(instanceId);
  }

  onExit(listener: (exit: InstanceExit) => void): Disposable {
    return this.exits.subscribe(listener);
  }

  onOutput(listener: (output: InstanceOutput) => void): Disposable {
    return this.outputs.subscribe(listener);
  }

  onUsage(listener: (usage: InstanceUsage) => void): Disposable {
    return this.usages.subscribe(listener);
  }

  onPressure(listener: (pressure: NodePressure) => void): Disposable {
    return this.pressures.subscribe(listener);
  }

  /** The listener hears at once of a node that is already up. */
  onNodeUp(listener: (node: NodeInfo) => void): Disposable {
    const subscription = this.ups.subscribe(listener);
    if (this.up && this.node !== undefined) listener(this.node);
    return subscription;
  }

  /** Hangs up; instances live on. Waiting requests reject. */
  async close(): Promise<void> {
    this.closed = true;
    this.retryTimer?.dispose();
    this.awayTimer?.dispose();
    this.connection?.close();
    for (const stream of [...this.pending.keys()]) this.fail(stream, new AgentAwayError('the node pool was closed'));
  }

  // ---- requests

  private request(request: AgentRequest, onAddress?: (address: InstanceAddress) => void): Promise<AgentAnswer> {
    const settle = Promise.withResolvers<AgentAnswer>();
    const stream = this.nextStream++;
    const pending: Pending = { request, settle, found: [], timer: undefined, onAddress };
    this.pending.set(stream, pending);
    if (this.closed) this.fail(stream, new AgentAwayError('the node pool was closed'));
    else if (this.up) this.connection?.send(stream, request);
    else this.waitForAgent(stream, pending);
    return settle.promise;
  }

  private waitForAgent(stream: number, pending: Pending): void {
    const { patienceMs } = this.options;
    pending.timer ??= this.options.clock.after(patienceMs, () => {
      this.fail(stream, new AgentAwayError(`the node agent did not come back within ${patienceMs} ms`));
    });
  }

  private fail(stream: number, error: Error): void {
    const pending = this.pending.get(stream);
    if (pending === undefined) return;
    this.pending.delete(stream);
    pending.timer?.dispose();
    pending.settle.reject(error);
  }

  private answered(stream: number, answer: AgentAnswer): void {
    const pending = this.pending.get(stream);
    if (pending === undefined) return;
    if (answer.ok && answer.op === 'placed') {
      pending.onAddress?.(answer.address);
      return;
    }
    if (answer.ok && answer.op === 'list') {
      pending.found.push(...answer.instances);
      if (answer.more === true) return;
      answer = { ok: true, op: 'list', instances: pending.found };
    }
    if (answer.ok && answer.op === 'start') this.live.add(answer.started.instanceId, answer.started.source);
    this.pending.delete(stream);
    pending.settle.resolve(answer);
  }

  // ---- connection

  private async connect(): Promise<void> {
    try {
      const connection = await AgentConnection.open(this.options.path, {
        onAnswer: (stream, answer) => this.answered(stream, answer),
        onEvent: (event) => {
          if (this.proven) this.happened(event);
        },
        onClose: () => this.disconnected(),
      });
      if (this.closed) connection.close();
      else this.greet(connection);
    } catch {
      this.reconnectLater();
    }
  }

  /**
   * Both prove who they are, hello, then the list: only what is still there counts as alive, then everything that waited is sent. An
   * agent that is not of this installation gets nothing: orders hold code, secrets and credentials.
   */
  private greet(connection: AgentConnection): void {
    this.connection = connection;
    const { secret, epoch, random, log } = this.options;
    const nonce = Buffer.from(random.bytes(NONCE_BYTES)).toString('base64url');
    this.exchange(connection, { op: 'prove', nonce }, (agent) => {
      const nonces = { server: nonce, agent: agent.ok && agent.op === 'prove' ? agent.nonce : '' };
      if (!agent.ok || agent.op !== 'prove' || !sameProof(agent.proof, peerProof(secret, 'agent', nonces))) {
        log.log('error', 'what listens as the agent does not belong to this installation', { path: this.options.path });
        connection.close();
        return;
      }
      this.proven = true;
      const proof = peerProof(secret, 'server', nonces);
      this.exchange(connection, { op: 'hello', epoch, proof }, (hello) => {
        if (!hello.ok || hello.op !== 'hello') return;
        const { node } = hello;
        this.exchange(connection, { op: 'list' }, (list) => {
          if (list.ok && list.op === 'list') this.reconcile(node, list.instances);
        });
      });
    });
  }

  /** A request of the connection itself: it ends with the connection and is not repeated. */
  private exchange(connection: AgentConnection, request: AgentRequest, then: (answer: AgentAnswer) => void): void {
    const settle = Promise.withResolvers<AgentAnswer>();
    const stream = this.nextStream++;
    this.pending.set(stream, { request, settle, found: [], timer: undefined, onAddress: undefined });
    settle.promise.then(
      (answer) => {
        if (this.connection === connection) then(answer);
      },
      () => undefined,
    );
    connection.send(stream, request);
  }

  private reconcile(node: NodeInfo, found: readonly FoundInstance[]): void {
    for (const exit of this.live.missing(new Set(found.map((instance) => instance.instanceId)))) this.exits.emit(exit);
    this.up = true;
    this.attempts = 0;
    this.awayTimer?.dispose();
    this.awayTimer = undefined;
    this.node = node;
    for (const [stream, pending] of this.pending) {
      pending.timer?.dispose();
      pending.timer = undefined;
      pending.found = [];
      this.connection?.send(stream, pending.request);
    }
    this.ups.emit(node);
  }

  private disconnected(): void {
    this.connection = undefined;
    this.proven = false;
    this.up = false;
    for (const [stream, pending] of [...this.pending]) {
      if (pending.request.op === 'prove' || pending.request.op === 'hello')
        this.fail(stream, new AgentAwayError('the connection ended'));
      else this.waitForAgent(stream, pending);
    }
    if (this.closed) return;
    // For a while the node counts as there: a restart of the agent is no loss of capacity.
    this.awayTimer ??= this.options.clock.after(this.options.patienceMs, () => {
      this.node = undefined;
      this.options.log.log('error', 'the node agent stays away', { path: this.options.path });
    });
    this.reconnectLater();
  }

  private reconnectLater(): void {
    if (this.closed) return;
    const delay = backoffDelay(RECONNECT, this.attempts++, this.options.random.float());
    this.retryTimer = this.options.clock.after(delay, () => void this.connect());
  }

  private happened(event: AgentEvent): void {
    switch (event.type) {
      case 'exit':
        // An exit told twice, or of an instance this server never had, is not news.
        if (this.live.remove(event.exit.instanceId)) this.exits.emit(event.exit);
        return;
      case 'output':
        this.outputs.emit(event.output);
        return;
      case 'usage':
        for (const usage of event.usages) this.usages.emit(usage);
        return;
      case 'pressure':
        this.pressures.emit(event.pressure);
        return;
      case 'node':
        this.node = event.node;
    }
  }
}

function startError(answer: AgentAnswer): InstanceStartError {
  if (!answer.ok && 'failure' in answer) return new InstanceStartError(answer.failure);
  return new InstanceStartError({ kind: 'platform', message: 'the node agent gave no usable answer', startLog: '' });
}

function done(answer: AgentAnswer): void {
  if (!answer.ok && 'message' in answer) throw new Error(answer.message);
}
