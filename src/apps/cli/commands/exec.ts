import { randomBytes } from 'node:crypto';
import { type RawData, WebSocket } from 'ws';
import { canonicalQuery, signAcs3 } from '../api/acs3.ts';
import { broke } from '../api/exchange.ts';
import { fcPath, refusal } from '../api/fc-client.ts';
import type { Context } from '../context.ts';
import { EXIT, Failure, usage } from '../failure.ts';

export interface ExecOptions {
  readonly instance?: string;
  readonly tty?: boolean;
  /** False for `--no-stdin`. */
  readonly stdin?: boolean;
}

interface InstanceLine {
  readonly instanceId: string;
  readonly status?: string;
}

/** Ours: without it the platform speaks the field's protocol, in which there is no end of input and no change of size. */
const PROTOCOL = 'tidemill.exec.v1';
/** The server cuts what is silent for ten minutes; whoever looks at a prompt is not gone. */
const PING_MS = 5_000;
const BACKLOG_BYTES = 256 * 1024;

/** `tidemill exec`: a command beside the function, in an instance that is there. Ends with the command's own exit code. */
export async function exec(
  context: Context,
  name: string,
  command: readonly string[],
  options: ExecOptions,
): Promise<number> {
  const tty = options.tty === true;
  const stdin = options.stdin !== false;
  if (tty && !process.stdin.isTTY) throw usage('there is no terminal here for --tty', 'Leave it out.');
  const instance = options.instance ?? (await anyInstance(context, name));
  const { columns, rows } = process.stdout;
  const query = {
    command,
    ...{ stdin: String(stdin), stdout: 'true', stderr: 'true', tty: String(tty) },
    ...(tty ? { columns: String(columns), rows: String(rows) } : {}),
  };
  const socket = open(context, fcPath`/functions/${name}/instances/${instance}/exec`, query);
  return new Session(context, socket, { tty, stdin }).run();
}

async function anyInstance(context: Context, name: string): Promise<string> {
  const answer = await context.client.call<{ readonly instances?: readonly InstanceLine[] }>(
    'ListInstances',
    'GET',
    fcPath`/functions/${name}/instances`,
  );
  const [first] = answer.instances ?? [];
  if (first === undefined) {
    throw new Failure(EXIT.failed, `the function ${name} has no instance now`, {
      code: 'NoInstance',
      culprit: 'caller',
      remedy: `Call it first: tidemill invoke ${name}`,
    });
  }
  return first.instanceId;
}

function open(context: Context, path: string, query: Readonly<Record<string, string | readonly string[]>>): WebSocket {
  const { endpoint, key } = context.client.connection;
  const { host } = new URL(endpoint);
  const about = { method: 'GET', path, query, host, action: 'InstanceExec', body: undefined, contentType: undefined };
  const headers = signAcs3(about, key, { now: Date.now(), nonce: randomBytes(32).toString('hex') });
  return new WebSocket(`${endpoint.replace(/^http/, 'ws')}${path}?${canonicalQuery(query)}`, [PROTOCOL], { headers });
}

/** Passes both directions on until the platform closes the connection. */
class Session {
  private readonly context: Context;
  private readonly socket: WebSocket;
  private readonly wanted: { readonly tty: boolean; readonly stdin: boolean };
  private exitCode: number | undefined;

  constructor(context: Context, socket: WebSocket, wanted: { readonly tty: boolean; readonly stdin: boolean }) {
    this.context = context;
    this.socket = socket;
    this.wanted = wanted;
  }

  run(): Promise<number> {
    const { socket } = this;
    const ended = Promise.withResolvers<number>();
    let pings: NodeJS.Timeout | undefined;
    socket.on('unexpected-response', (_request, answer) => {
      refusal(answer).then(ended.reject, ended.reject);
    });
    socket.on('error', (error) => ended.reject(broke(this.context.client.connection.endpoint, error)));
    socket.on('open', () => {
      pings = setInterval(() => socket.ping(), PING_MS);
      this.listen();
    });
    socket.on('message', (data: RawData, isBinary) =>
      this.take(Buffer.isBuffer(data) ? data : Buffer.alloc(0), isBinary),
    );
    socket.on('close', (_code, reason) => {
      if (this.exitCode !== undefined) return ended.resolve(this.exitCode);
      const message = reason.length === 0 ? 'the connection ended before the command did' : reason.toString();
      return ended.reject(new Failure(EXIT.failed, message, { code: 'SessionLost', culprit: 'platform' }));
    });
    return ended.promise.finally(() => {
      clearInterval(pings);
      if (process.stdin.isTTY) process.stdin.setRawMode(false);
      process.stdin.destroy();
    });
  }

  private listen(): void {
    const { socket } = this;
    const { stdin, stdout } = process;
    if (this.wanted.tty) {
      stdin.setRawMode(true);
      stdout.on('resize', () => {
        socket.send(JSON.stringify({ resize: { columns: stdout.columns, rows: stdout.rows } }));
      });
    }
    if (!this.wanted.stdin) return;
    stdin.on('data', (chunk: Buffer) => {
      if (socket.readyState !== WebSocket.OPEN) return;
      socket.send(chunk, () => {
        if (socket.bufferedAmount <= BACKLOG_BYTES) stdin.resume();
      });
      if (socket.bufferedAmount > BACKLOG_BYTES) stdin.pause();
    });
    stdin.on('end', () => {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ end: true }));
    });
  }

  private take(data: Buffer, isBinary: boolean): void {
    if (!isBinary) {
      this.exitCode = (JSON.parse(data.toString()) as { readonly exitCode?: number }).exitCode;
      if (this.context.output.json) this.context.output.item({ exitCode: this.exitCode }, () => '');
      return;
    }
    const stream = data[0] === 2 ? process.stderr : process.stdout;
    const bytes = data.subarray(1);
    if (this.context.output.json) {
      const item = { stream: data[0] === 2 ? 'stderr' : 'stdout', base64: bytes.toString('base64') };
      this.context.output.item(item, () => '');
      return;
    }
    if (stream.write(bytes)) return;
    this.socket.pause();
    stream.once('drain', () => this.socket.resume());
  }
}
