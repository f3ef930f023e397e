import { request } from 'node:http';
import { Readable } from 'node:stream';
import type OSS from 'ali-oss';
import { clientOf, type Client, type FactLine, type Files, models, type SdkError, zipCode } from '../fc/world.ts';
import { ossClient } from '../objects/endpoint.ts';
import { signed } from '../signing.ts';
import type { Platform } from '../start.ts';
import { until } from './installation.ts';

/** What one call came to: an answer, or the reason why there is none. */
export interface Outcome {
  readonly status: number;
  readonly text: string;
  readonly instanceId: string;
  readonly errorType: string;
  /** Code of an answer of 400 and more, or of a connection that broke. */
  readonly code: string;
  readonly message: string;
}

export interface InstanceLine {
  readonly instanceId: string;
  readonly state: string;
  readonly inFlight: number;
}

const SDK_PATIENCE = { readTimeout: 120_000, connectTimeout: 120_000 };

/** Somebody who uses an installation with the unmodified SDKs, whatever happens to it meanwhile. */
export class User {
  private readonly platformOf: () => Platform;

  constructor(platformOf: () => Platform) {
    this.platformOf = platformOf;
  }

  get platform(): Platform {
    return this.platformOf();
  }

  get client(): Client {
    return clientOf(this.platform);
  }

  /** The real ali-oss. */
  get objects(): OSS {
    const { objectsEndpoint, accessKeyId, accessKeySecret } = this.platform;
    const [temporary, stranger] = [undefined, undefined];
    const url = new URL(objectsEndpoint);
    const endpoint = { url, accessKeyId, accessKeySecret, region: 'local', temporary, stranger, stop: async () => {} };
    return ossClient(endpoint, { style: 'path', v4: true });
  }

  async deploy(
    functionName: string,
    files: Files,
    rest: ConstructorParameters<typeof models.CreateFunctionInput>[0] = {},
  ): Promise<void> {
    const body = new models.CreateFunctionInput({
      functionName,
      runtime: 'nodejs20',
      handler: 'index.handler',
      memorySize: 128,
      cpu: 0.1,
      timeout: 20,
      code: await zipCode(files),
      ...rest,
    });
    await this.client.createFunction(new models.CreateFunctionRequest({ body }));
  }

  /** Calls a function; never throws. */
  async call(name: string, payload: unknown, headers: Record<string, string> = {}): Promise<Outcome> {
    try {
      const answer = await this.client.invokeFunctionWithOptions(
        name,
        new models.InvokeFunctionRequest({ body: Readable.from([Buffer.from(JSON.stringify(payload))]) }),
        new models.InvokeFunctionHeaders({ commonHeaders: headers }),
        SDK_PATIENCE as Parameters<Client['invokeFunctionWithOptions']>[3],
      );
      const chunks: Buffer[] = [];
      for await (const chunk of answer.body ?? Readable.from([])) chunks.push(chunk as Buffer);
      return {
        status: answer.statusCode ?? 0,
        text: Buffer.concat(chunks).toString(),
        instanceId: answer.headers?.['x-fc-instance-id'] ?? '',
        errorType: answer.headers?.['x-fc-error-type'] ?? '',
        code: '',
        message: '',
      };
    } catch (error) {
      const { code, statusCode, message } = error as Partial<SdkError>;
      const none = { text: '', instanceId: '', errorType: '' };
      return { ...none, status: statusCode ?? 0, code: code ?? 'broken', message: message ?? String(error) };
    }
  }

  /** Calls over a connection of its own, made now: none that was open before can stand in for it. Rejects when it breaks. */
  callAfresh(name: string, payload: unknown): Promise<{ status: number; text: string; instanceId: string }> {
    const body = JSON.stringify(payload);
    const path = `/2023-03-30/functions/${name}/invocations`;
    const { url, headers } = signed(this.platform, { method: 'POST', path, body });
    return new Promise((resolve, reject) => {
      const sent = request(url, { method: 'POST', headers, agent: false }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        const instanceId = String(answer.headers['x-fc-instance-id'] ?? '');
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text, instanceId }));
        answer.on('error', reject);
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  /** Hands over an event; the answer tells whether it was accepted (202). */
  send(name: string, taskId: string, payload: unknown, delaySeconds?: number): Promise<Outcome> {
    return this.call(name, payload, {
      'x-fc-invocation-type': 'Async',
      'x-fc-async-task-id': taskId,
      ...(delaySeconds === undefined ? {} : { 'x-fc-async-delay': String(delaySeconds) }),
    });
  }

  /** The newest thousand facts of a function. */
  async facts(name: string): Promise<FactLine[]> {
    const text = await this.operations(`/functions/${name}/logs`, { since: '0', limit: '1000' });
    return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as FactLine]));
  }

  async instances(name: string): Promise<readonly InstanceLine[]> {
    const text = await this.operations(`/functions/${name}/instances`, {});
    return (JSON.parse(text) as { instances: InstanceLine[] }).instances;
  }

  /** Waits until `count` instances of a function are ready and none of them runs a call. */
  async idle(name: string, count: number): Promise<readonly string[]> {
    return until(`${count} idle instances of ${name}`, async () => {
      const all = await this.instances(name);
      const quiet = all.length === count && all.every((one) => one.state === 'ready' && one.inFlight === 0);
      return quiet ? all.map((one) => one.instanceId).sort() : undefined;
    });
  }

  /** How often each event reached an end, once all of `taskIds` have one. */
  async ends(name: string, taskIds: readonly string[], limitMs = 60_000): Promise<ReadonlyMap<string, FactLine[]>> {
    let found = new Map<string, FactLine[]>();
    const missing = (): string[] => taskIds.filter((id) => !found.has(id));
    try {
      await until(
        'every event has its end',
        async () => {
          found = Map.groupBy(await this.ended(name), (fact) => String(fact['taskId']));
          return missing().length === 0;
        },
        limitMs,
      );
    } catch {
      throw new Error(`${missing().length} of ${taskIds.length} events have no end: ${missing().join(' ')}`);
    }
    return found;
  }

  async ended(name: string): Promise<FactLine[]> {
    return (await this.facts(name)).filter((fact) => fact.type === 'event-ended');
  }

  private async operations(path: string, query: Record<string, string>): Promise<string> {
    const { url, headers } = signed(this.platform, { method: 'GET', path: `/tidemill/v1${path}`, query });
    const response = await fetch(url, { headers });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
    return text;
  }
}

/** A node function that is told what to do by its event, and marks its process so that it is found on the host. */
export function obedient(title: string): Files {
  return {
    'index.js': `process.title = '${title}';
const { execSync } = require('node:child_process');
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let calls = 0;
exports.handler = async (raw, context) => {
  const event = JSON.parse(raw);
  calls++;
  if (context.retryCount === 0) await wait(event.ms || 0);
  for (let i = 0; i < (event.lines || 0); i++) {
    execSync('echo ' + event.id + '-' + i, { stdio: 'inherit' });
    await wait(event.pause || 0);
  }
  if (event.fill) { const held = []; for (;;) held.push(Buffer.alloc(1e6, 1)); }
  return { id: event.id, calls, retry: context.retryCount };
};
exports.preStop = async () => { console.log('last words'); };
`,
  };
}
