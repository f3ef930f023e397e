import { type IncomingMessage, request } from 'node:http';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import Fc, * as models from '@alicloud/fc20230330';
import yazl from 'yazl';
import { signed } from '../signing.ts';
import { connect, type Platform } from '../start.ts';

export { models };
export type Client = Fc.default;

/** A fact of the platform's log, as its operations API streams it. */
export interface FactLine {
  readonly type: string;
  readonly requestId?: string;
  readonly text?: string;
  readonly [name: string]: unknown;
}

export interface Invoked {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly text: string;
}

export type Files = Readonly<Record<string, string | Buffer | { readonly data: string; readonly mode: number }>>;

/** The unmodified SDK against the platform under test; remembers what it creates and takes it away again. */
export class World {
  readonly platform: Platform;
  readonly client: Client;
  private readonly functions = new Set<string>();
  private readonly streams = new Set<() => void>();

  private constructor(platform: Platform) {
    this.platform = platform;
    this.client = clientOf(platform);
  }

  /** On the platform under test, or on one of its own. */
  static async open(platform?: Platform): Promise<World> {
    return new World(platform ?? (await connect()));
  }

  async close(): Promise<void> {
    for (const stop of this.streams) stop();
    for (const name of this.functions) await this.client.deleteFunction(name).catch(ignoreNotFound);
    await this.platform.close();
  }

  /** A name nobody else uses. */
  name(hint: string): string {
    const name = `${hint}-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
    this.functions.add(name);
    return name;
  }

  /** Creates a function from files; `rest` overrides the input. Answers its name. */
  async deploy(
    hint: string,
    files: Files,
    rest: ConstructorParameters<typeof models.CreateFunctionInput>[0] = {},
  ): Promise<string> {
    const functionName = this.name(hint);
    const input = new models.CreateFunctionInput({
      functionName,
      runtime: 'nodejs20',
      handler: 'index.handler',
      memorySize: 256,
      cpu: 0.25,
      timeout: 20,
      code: await zipCode(files),
      ...rest,
    });
    await this.client.createFunction(new models.CreateFunctionRequest({ body: input }));
    return functionName;
  }

  async invoke(
    name: string,
    payload: string | Buffer = '',
    options: { qualifier?: string; headers?: Record<string, string> } = {},
  ): Promise<Invoked> {
    const answer = await this.client.invokeFunctionWithOptions(
      name,
      new models.InvokeFunctionRequest({
        body: Readable.from([Buffer.from(payload)]),
        ...(options.qualifier === undefined ? {} : { qualifier: options.qualifier }),
      }),
      new models.InvokeFunctionHeaders({ commonHeaders: options.headers ?? {} }),
      { readTimeout: 120_000, connectTimeout: 120_000 } as Parameters<Client['invokeFunctionWithOptions']>[3],
    );
    const chunks: Buffer[] = [];
    for await (const chunk of answer.body ?? Readable.from([])) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    return { status: answer.statusCode ?? 0, headers: answer.headers ?? {}, body, text: body.toString() };
  }

  /** Facts of a function as they happen, from `since` (milliseconds) on; ends with the world. */
  async *follow(name: string, since = Date.now() - 60_000): AsyncGenerator<FactLine> {
    const path = `/tidemill/v1/functions/${name}/logs`;
    const { url, headers } = signed(this.platform, {
      method: 'GET',
      path,
      query: { follow: 'true', since: String(since), limit: '1000' },
    });
    const req = request(url, { headers });
    const stop = (): void => void req.destroy();
    this.streams.add(stop);
    try {
      const res = await new Promise<IncomingMessage>((resolve, reject) => {
        req.on('response', resolve).on('error', reject).end();
      });
      if (res.statusCode !== 200) throw new Error(`following the log of ${name} answered ${res.statusCode}`);
      res.on('error', () => {}); // leaving a stream that has no end aborts it
      const lines = createInterface({ input: res });
      lines.on('error', () => {});
      for await (const line of lines) yield JSON.parse(line) as FactLine;
    } finally {
      this.streams.delete(stop);
      stop();
    }
  }

  /** Waits for the first fact that `matches`; the test's own timeout is the deadline. */
  async waitFor(name: string, matches: (fact: FactLine) => boolean): Promise<FactLine> {
    for await (const fact of this.follow(name)) if (matches(fact)) return fact;
    throw new Error('the log ended before the expected fact');
  }

  /** Waits for a line of output. */
  async waitForOutput(name: string, pattern: RegExp): Promise<RegExpExecArray> {
    let found: RegExpExecArray | null = null;
    await this.waitFor(name, (fact) => {
      if (fact.type === 'output-written') found = pattern.exec(fact.text ?? '');
      return found !== null;
    });
    if (found === null) throw new Error('unreachable');
    return found;
  }
}

export function clientOf(
  platform: Platform,
  keys: { accessKeyId?: string; accessKeySecret?: string; securityToken?: string } = {},
): Client {
  const config = {
    accessKeyId: platform.accessKeyId,
    accessKeySecret: platform.accessKeySecret,
    ...keys,
    endpoint: new URL(platform.endpoint).host,
    protocol: 'http',
    regionId: 'local',
    readTimeout: 120_000,
    connectTimeout: 120_000,
  };
  return new Fc.default(config as ConstructorParameters<typeof Fc.default>[0]);
}

export async function zipCode(files: Files): Promise<models.InputCodeLocation> {
  return new models.InputCodeLocation({ zipFile: (await zip(files)).toString('base64') });
}

export async function zip(files: Files): Promise<Buffer> {
  const archive = new yazl.ZipFile();
  for (const [path, content] of Object.entries(files)) {
    const plain = typeof content === 'string' || Buffer.isBuffer(content);
    const bytes = Buffer.from(plain ? content : content.data);
    archive.addBuffer(bytes, path, { mode: plain ? 0o100644 : content.mode });
  }
  archive.end();
  const chunks: Buffer[] = [];
  for await (const chunk of archive.outputStream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** What the SDK throws for an answer of 400 and more. */
export interface SdkError extends Error {
  readonly code: string;
  readonly statusCode: number;
}

/** For `assert.rejects`: code and status, and optionally words of the message. */
export function failsWith(code: string, status: number, message?: RegExp): (error: unknown) => boolean {
  return (error) => {
    const { code: got, statusCode, message: text } = error as SdkError;
    if (got !== code || statusCode !== status)
      throw new Error(`expected ${status} ${code}, got ${statusCode} ${got}: ${text}`);
    if (message !== undefined && !message.test(text)) throw new Error(`expected ${message}, got: ${text}`);
    return true;
  };
}

function ignoreNotFound(error: unknown): void {
  if ((error as SdkError).code !== 'FunctionNotFound') throw error;
}

/** A node handler that echoes its event. */
export const ECHO: Files = { 'index.js': 'exports.handler = async (event) => event;\n' };
