import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import type { Clock } from '../../core/base/clock.ts';
import type { Disposable } from '../../core/base/disposable.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import { type ExecEnd, ExecRefusedError, type ExecRequest, type ExecSession } from '../../core/ports/exec.ts';
import { asTidemillError, errorBody, messageOf } from '../wire/answer.ts';
import { queryOf, queryPairs } from '../wire/query.ts';
import { HttpConditions } from '../wire/request-conditions.ts';
import { requestIdOf } from '../wire/request-id.ts';
import { checkHeadLimits } from '../wire/request-limits.ts';
import { ACCESS_RULES, resourcesOf } from './access-rules.ts';
import type { OperationContext } from './operation.ts';

/** Text messages are control messages for whoever asks for this subprotocol: `{"resize":{..}}` up, `{"exitCode":0}` down. */
const CONTROL_PROTOCOL = 'tidemill.exec.v1';
const PATH = /^\/2023-03-30\/functions\/([^/?]+)\/instances\/([^/?]+)\/exec(?:\?|$)/;
const QUERY = [
  'stdin',
  'stdout',
  'stderr',
  'tty',
  'command',
  'qualifier',
  'columns',
  'rows',
  'FC_INSTANCE_EXEC_TIMEOUT',
];
/** A client that reads slower than this much behind makes the process wait. */
const BACKLOG_BYTES = 256 * 1024;

interface Wanted {
  readonly request: ExecRequest;
  /** The session is cut when nothing has moved for so long. */
  readonly idleSeconds: number;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** Instance exec: a WebSocket into a running instance (FC reference 2.8.2). */
export class InstanceExec {
  private readonly context: OperationContext;
  private readonly sockets = new WebSocketServer({
    noServer: true,
    maxPayload: LIMITS.execMessageBytes,
    handleProtocols: (offered) => (offered.has(CONTROL_PROTOCOL) ? CONTROL_PROTOCOL : false),
  });

  /** Open sessions of each instance that has any. */
  private readonly sessions = new Map<string, number>();

  constructor(context: OperationContext) {
    this.context = context;
  }

  takes(req: IncomingMessage): boolean {
    return PATH.test(req.url ?? '') && req.headers.upgrade?.toLowerCase() === 'websocket';
  }

  /** Answers the request or opens the session; never throws. */
  open(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    const requestId = requestIdOf(req, this.context.random, this.context.clock);
    socket.on('error', () => socket.destroy());
    this.opened(req, socket, head, requestId).catch(async (thrown: unknown) => {
      const error = asTidemillError(thrown, requestId, this.context.logger);
      await this.context.execAsked?.(req, requestId, error);
      this.refuse(socket, requestId, error);
    });
  }

  /** Only what runs is upgraded: whoever is refused gets an answer with a reason. */
  private async opened(req: IncomingMessage, socket: Duplex, head: Buffer, requestId: string): Promise<void> {
    const { context } = this;
    const { account, name, instanceId, wanted } = this.check(req, requestId);
    await this.find(account, name, instanceId, queryOf(req.url ?? '')['qualifier']);
    const leave = this.enter(instanceId);
    await context.execAsked?.(req, requestId, undefined);
    const tunnel = new ExecTunnel(context.clock, wanted, leave);
    try {
      await tunnel.start(context.nodes, instanceId);
    } catch (error) {
      leave();
      if (error instanceof ExecRefusedError) throw new TidemillError('InvalidArgument', error.message);
      throw error;
    }
    const command = wanted.request.command;
    const base = { at: context.clock.now(), account, functionName: name, requestId, instanceId };
    context.facts.append({ ...base, type: 'exec-opened', command });
    // A handshake that fails ends in a closed connection, one way or the other.
    socket.once('close', () => tunnel.close());
    if (socket.destroyed) return tunnel.close();
    this.sockets.handleUpgrade(req, socket, head, (peer) => tunnel.attach(peer));
    return undefined;
  }

  private check(req: IncomingMessage, requestId: string) {
    checkHeadLimits(req);
    const { principal } = this.context.verifier.verifyApi(req);
    this.context.rate.take(principal.account);
    const [, name = '', instanceId = ''] = PATH.exec(req.url ?? '') ?? [];
    const { account } = principal;
    const params = { functionName: name, instanceId };
    const rule = ACCESS_RULES['InstanceExec'];
    if (rule === undefined) throw new Error('no right is named for InstanceExec');
    for (const resource of resourcesOf(rule, { account, requestId, params, query: {}, body: {}, lineage: undefined })) {
      const whole = `acs:fc:${this.context.region}:${account}:${resource}`;
      this.context.access.check(principal, rule.action, whole, new HttpConditions(req));
    }
    return { account, name, instanceId, wanted: wantedOf(req.url ?? '') };
  }

  /** Counts a session; what it returns takes it out, once. */
  private enter(instanceId: string): () => void {
    const open = this.sessions.get(instanceId) ?? 0;
    if (open >= LIMITS.execSessionsPerInstance) {
      throw new TidemillError(
        'ResourceExhausted',
        `The instance ${instanceId} has ${open} sessions, which is the limit`,
        {
          remedy: 'End one of them first.',
        },
      );
    }
    this.sessions.set(instanceId, open + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      const now = (this.sessions.get(instanceId) ?? 1) - 1;
      if (now > 0) this.sessions.set(instanceId, now);
      else this.sessions.delete(instanceId);
    };
  }

  /** The instance must be one of this function, and of the qualifier when there is one. */
  private async find(account: string, name: string, instanceId: string, qualifier: string | undefined): Promise<void> {
    const { control, scheduling } = this.context;
    const view = await control.getFunction(account, name, qualifier);
    const found = scheduling.instances(account, name).find((instance) => instance.instanceId === instanceId);
    const known = found !== undefined && found.state !== 'starting';
    if (!known || (qualifier !== undefined && /^(LATEST|\d+)$/.test(qualifier) && found.versionId !== view.versionId)) {
      throw new TidemillError('InvalidArgument', `The function ${name} has no running instance ${instanceId}`, {
        remedy: 'List its instances.',
      });
    }
  }

  private refuse(socket: Duplex, requestId: string, error: TidemillError): void {
    const shape = JSON.parse(errorBody(requestId, error).toString()) as object;
    const body = JSON.stringify({ ...shape, ErrorCode: error.code, ErrorMessage: messageOf(error) });
    socket.end(
      `HTTP/1.1 ${error.status} ${error.code}\r\ncontent-type: application/json\r\nx-fc-request-id: ${requestId}\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    );
  }
}

/** One session and the WebSocket that it gets once it is open, at the pace of the slower. */
class ExecTunnel {
  private peer: WebSocket | undefined;
  private readonly clock: Clock;
  private readonly wanted: Wanted;
  private readonly onEnd: () => void;
  private session: ExecSession | undefined;
  /** What came before there was a peer to send it to. */
  private readonly early: (() => void)[] = [];
  private lastMoved: number;
  private timer: Disposable | undefined;
  private waiting = false;

  constructor(clock: Clock, wanted: Wanted, onEnd: () => void) {
    this.clock = clock;
    this.wanted = wanted;
    this.onEnd = onEnd;
    this.lastMoved = clock.monotonic();
  }

  async start(nodes: OperationContext['nodes'], instanceId: string): Promise<void> {
    this.session = await nodes.exec(instanceId, this.wanted.request, {
      output: (channel, bytes) => {
        if (this.peer !== undefined) return this.output(channel, bytes);
        this.early.push(() => void this.output(channel, bytes));
        this.waiting = true;
        return false;
      },
      drained: () => this.peer?.resume(),
      ended: (end) => {
        this.onEnd();
        if (this.peer === undefined) this.early.push(() => this.ended(end));
        else this.ended(end);
      },
    });
  }

  attach(peer: WebSocket): void {
    this.peer = peer;
    peer.on('error', () => peer.terminate());
    peer.on('message', (data, isBinary) => this.input(peer, data, isBinary));
    peer.on('close', () => this.close());
    this.watch();
    const held = this.waiting;
    this.waiting = false;
    for (const tell of this.early.splice(0)) tell();
    if (held && !this.waiting) this.session?.resume();
  }

  /** Ends the session. Idempotent. */
  close(): void {
    this.timer?.dispose();
    this.session?.close();
  }

  private input(peer: WebSocket, data: RawData, isBinary: boolean): void {
    this.lastMoved = this.clock.monotonic();
    const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer);
    if (!isBinary && peer.protocol === CONTROL_PROTOCOL) return this.control(peer, bytes.toString('utf8'));
    if (this.session?.write(bytes) === false) peer.pause();
    return undefined;
  }

  private control(peer: WebSocket, text: string): void {
    const message = controlOf(text);
    if (message === undefined)
      return peer.close(1007, 'a text message is {"resize":{"columns","rows"}} or {"end":true}');
    if ('end' in message) this.session?.end();
    else this.session?.resize(message.columns, message.rows);
    return undefined;
  }

  /** One byte that names the stream, then the data. */
  private output(channel: 1 | 2, bytes: Uint8Array): boolean {
    const { peer } = this;
    this.lastMoved = this.clock.monotonic();
    if (!(channel === 1 ? this.wanted.stdout : this.wanted.stderr) || peer?.readyState !== WebSocket.OPEN) return true;
    const message = Buffer.allocUnsafe(bytes.length + 1);
    message[0] = channel;
    message.set(bytes, 1);
    peer.send(message, { binary: true }, () => {
      if (!this.waiting || peer.bufferedAmount > BACKLOG_BYTES / 2) return;
      this.waiting = false;
      this.session?.resume();
    });
    this.waiting ||= peer.bufferedAmount > BACKLOG_BYTES;
    return !this.waiting;
  }

  private ended(end: ExecEnd): void {
    const { peer } = this;
    this.timer?.dispose();
    if (peer?.readyState !== WebSocket.OPEN) return;
    if (peer.protocol === CONTROL_PROTOCOL) peer.send(JSON.stringify(end));
    if (end.exitCode === undefined) peer.close(1011, 'the instance or its node went away');
    else peer.close(1000, `exit code ${end.exitCode}`);
  }

  private watch(): void {
    const left = this.lastMoved + this.wanted.idleSeconds * 1000 - this.clock.monotonic();
    if (left > 0) this.timer = this.clock.after(left, () => this.watch());
    else {
      this.peer?.close(1001, `nothing has moved for ${this.wanted.idleSeconds} s`);
      this.close();
    }
  }
}

/** A control message; undefined: not one of ours. */
function controlOf(text: string): { columns: number; rows: number } | { end: true } | undefined {
  let message: { readonly resize?: { readonly columns?: unknown; readonly rows?: unknown }; readonly end?: unknown };
  try {
    message = (JSON.parse(text) ?? {}) as typeof message;
  } catch {
    return undefined;
  }
  const { columns, rows } = message.resize ?? {};
  if (isSize(columns) && isSize(rows)) return { columns, rows };
  return message.end === true ? { end: true } : undefined;
}

function wantedOf(target: string): Wanted {
  const pairs = queryPairs(target.includes('?') ? target.slice(target.indexOf('?') + 1) : '');
  const unknown = pairs.find(([name]) => !QUERY.includes(name));
  if (unknown !== undefined) {
    throw new TidemillError('InvalidArgument', `Exec has no query parameter '${unknown[0]}'`, {
      remedy: `Known are: ${QUERY.join(', ')}.`,
    });
  }
  const query = queryOf(target);
  const command = pairs.filter(([name]) => name === 'command').map(([, value]) => value);
  if (command.length === 0 || command[0] === '' || command.some((part) => part.includes('\0'))) {
    throw new TidemillError('InvalidArgument', 'command must name a program; repeat it for each argument');
  }
  const flag = (name: string, otherwise: boolean): boolean => {
    const value = query[name];
    if (value === undefined || value === '') return otherwise;
    if (value !== 'true' && value !== 'false') {
      throw new TidemillError('InvalidArgument', `${name} must be true or false`);
    }
    return value === 'true';
  };
  const size = (name: string, otherwise: number): number => {
    const value = query[name];
    if (value === undefined) return otherwise;
    if (!isSize(Number(value))) throw new TidemillError('InvalidArgument', `${name} must be a whole number from 1`);
    return Number(value);
  };
  const idleSeconds = Number(query['FC_INSTANCE_EXEC_TIMEOUT'] ?? LIMITS.execIdleSeconds);
  if (!Number.isInteger(idleSeconds) || idleSeconds < 1 || idleSeconds > LIMITS.execIdleSeconds) {
    const most = LIMITS.execIdleSeconds;
    throw new TidemillError(
      'InvalidArgument',
      `FC_INSTANCE_EXEC_TIMEOUT must be a whole number of seconds, 1 to ${most}`,
    );
  }
  return {
    idleSeconds,
    request: {
      command,
      tty: flag('tty', false),
      stdin: flag('stdin', false),
      columns: size('columns', 80),
      rows: size('rows', 24),
      env: {},
    },
    stdout: flag('stdout', true),
    stderr: flag('stderr', true),
  };
}

function isSize(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535;
}
