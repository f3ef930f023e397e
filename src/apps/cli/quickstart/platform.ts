import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { hostReport } from '../commands/doctor.ts';
import { EXIT, Failure } from '../failure.ts';

/** The line that `tidemill up --json` prints once it serves. */
interface Ready {
  readonly endpoint: string;
  readonly accountId: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly objects: { readonly endpoint: string };
}

const DEFAULT_PORT = 9527;
/** Of the child's messages, what is shown when it cannot start. */
const KEPT_BYTES = 4_000;

/** A platform of our own: `tidemill up` as a child process, ended in order by `end`. */
export class OwnPlatform {
  readonly ready: Ready;
  private readonly child: ChildProcess;
  private readonly exited: Promise<number>;

  private constructor(child: ChildProcess, exited: Promise<number>, ready: Ready) {
    this.child = child;
    this.exited = exited;
    this.ready = ready;
  }

  /** Rejects with one Failure that says what is missing on this host when it cannot serve. */
  static async start(options: {
    readonly data: string;
    readonly port?: number;
    readonly signal: AbortSignal;
  }): Promise<OwnPlatform> {
    const port = options.port ?? ((await isFree(DEFAULT_PORT)) && (await isFree(DEFAULT_PORT + 1)) ? DEFAULT_PORT : 0);
    const entry = join(import.meta.dirname, '../../up', `main${extname(import.meta.filename)}`);
    const args = [
      '--disable-warning=ExperimentalWarning',
      entry,
      '--data',
      options.data,
      '--port',
      String(port),
      '--json',
    ];
    // Its own log would only repeat what the steps show.
    const env = { TIDEMILL_LOG: 'warn', ...process.env };
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    const exited = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? 1)));
    const end = (): void => void child.kill('SIGTERM');
    options.signal.addEventListener('abort', end, { once: true });
    let messages = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      messages = (messages + text).slice(-KEPT_BYTES);
    });
    const ready = await new Promise<Ready | undefined>((resolve, reject) => {
      child.once('error', reject);
      void exited.then(() => resolve(undefined));
      createInterface({ input: child.stdout }).once('line', (line) => resolve(JSON.parse(line) as Ready));
    });
    if (ready !== undefined) return new OwnPlatform(child, exited, ready);
    throw options.signal.aborted ? interrupted() : await cannotServe(messages);
  }

  /** From here on the platform's warnings are shown. */
  showMessages(): void {
    this.child.stderr?.on('data', (text: string) => process.stderr.write(text));
  }

  /** Resolves with the exit code, whoever ended it. */
  gone(): Promise<number> {
    return this.exited;
  }

  end(): Promise<number> {
    this.child.kill('SIGTERM');
    return this.exited;
  }
}

export function interrupted(): Failure {
  return new Failure(EXIT.failed, 'interrupted', { code: 'Interrupted', culprit: 'caller' });
}

async function cannotServe(messages: string): Promise<Failure> {
  const tiers = (await hostReport().catch(() => undefined))?.tiers ?? [];
  const container = tiers.find((tier) => tier.tier === 'container');
  if (container !== undefined && !container.available) {
    return new Failure(EXIT.failed, `this host cannot confine functions: ${container.detail}`, {
      code: 'NoIsolation',
      culprit: 'caller',
      remedy:
        'Correct that and start again; `tidemill doctor` says what is there. Without confinement, for your own code only: tidemill up --isolation process.',
    });
  }
  const reasons = messages
    .trim()
    .split('\n')
    .map(plainMessage)
    .filter((line) => line !== '');
  return new Failure(EXIT.failed, `the platform cannot start:\n  ${reasons.slice(-5).join('\n  ')}`, {
    code: 'NotServing',
    culprit: 'platform',
    remedy: 'Correct what the messages name and start again; `tidemill doctor` examines this host.',
  });
}

/** Log lines are JSON: what a person needs of one. */
function plainMessage(line: string): string {
  try {
    const { message, error, reason } = JSON.parse(line) as Record<string, unknown>;
    return [message, error ?? reason].filter((part) => typeof part === 'string').join(': ');
  } catch {
    return line;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
