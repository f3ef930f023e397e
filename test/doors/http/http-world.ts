import { request, type IncomingHttpHeaders } from 'node:http';
import type { EventBridgeTriggerConfig, HttpTriggerConfig, TriggerRecord } from '../../../src/core/domain/trigger.ts';
import type { Catalog } from '../../../src/core/ports/catalog.ts';
import type { AsyncCommand, Dispatch, InvokeAnswer, InvokeCommand } from '../../../src/core/ports/dispatch.ts';
import type { WebhookRequest, Webhooks } from '../../../src/core/ports/webhooks.ts';
import { createHttpDoor, type HttpDoor } from '../../../src/doors/http/door.ts';
import { ACCOUNT, answerOf, doorBasics, partial, serve, targetOf, type TestServer } from '../door-world.ts';

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

/** An HTTP door over fakes: one trigger per prefix, `custom-*` prefixes are custom runtimes. */
export class HttpWorld {
  server!: TestServer;
  last: InvokeCommand | undefined;
  accepted: AsyncCommand | undefined;
  reply: (command: InvokeCommand) => Promise<InvokeAnswer> = async () => answerOf(Buffer.from('{}'));
  webhook: WebhookRequest | undefined;
  receive: Webhooks['receive'] = async () => 'accepted';
  /** What the door said of refused requests that came without `node:http`. */
  readonly refused: string[] = [];
  readonly triggers = new Map<string, HttpTriggerConfig | EventBridgeTriggerConfig>();

  /** The door alone, for who serves it in a way of its own. */
  door(now: () => number = Date.now): HttpDoor {
    return createHttpDoor({
      ...doorBasics(now),
      refused: (_head, requestId, { code }) => void this.refused.push(`${requestId} ${code}`),
      baseDomain: 'Fn.Example.com',
      catalog: partial<Catalog>('catalog', { httpTrigger: async (prefix) => this.record(prefix) }),
      webhooks: partial<Webhooks>('webhooks', {
        receive: async (request) => {
          this.webhook = request;
          return this.receive(request);
        },
      }),
      dispatch: partial<Dispatch>('dispatch', {
        resolve: async (_account, name) => targetOf(name.startsWith('custom-') ? 'custom.debian12' : 'nodejs20', '3'),
        invoke: (command) => {
          this.last = command;
          return this.reply(command);
        },
        invokeAsync: async (command) => {
          this.accepted = command;
          return { taskId: command.taskId ?? command.requestId, requestId: command.requestId };
        },
      }),
    });
  }

  async start(): Promise<this> {
    const door = this.door();
    this.server = await serve((req, res) => {
      if (door.matches(req)) door.handle(req, res);
      else res.writeHead(421).end();
    });
    return this;
  }

  trigger(domainPrefix: string, rest: Partial<HttpTriggerConfig> = {}): void {
    const methods = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH'];
    this.triggers.set(domainPrefix, {
      type: 'http',
      authType: 'anonymous',
      methods,
      disableUrlInternet: false,
      domainPrefix,
      ...rest,
    });
  }

  private record(prefix: string): TriggerRecord | undefined {
    const config = this.triggers.get(prefix);
    if (config === undefined) return undefined;
    return {
      account: ACCOUNT,
      functionName: prefix,
      triggerName: 'web',
      triggerId: 'trigger-id',
      qualifier: 'prod',
      description: '',
      sourceArn: '',
      invocationRole: '',
      config,
      rawConfig: '',
      createdTime: 0,
      lastModifiedTime: 0,
    };
  }

  /** Sends exactly this, without the manners of a browser-like client. */
  call(
    method: string,
    path: string,
    options: { headers?: Record<string, string | string[]>; body?: Buffer | string } = {},
  ): Promise<RawAnswer> {
    return new Promise((resolve, reject) => {
      const out = request(
        this.server.url,
        { method, path, ...(options.headers === undefined ? {} : { headers: options.headers }) },
        (res) => {
          const chunks: Buffer[] = [];
          res.on('data', (chunk: Buffer) => chunks.push(chunk));
          res.on('error', reject);
          res.on('end', () =>
            resolve({
              status: res.statusCode ?? 0,
              headers: res.headers,
              rawHeaders: res.rawHeaders,
              body: Buffer.concat(chunks),
            }),
          );
        },
      );
      out.on('error', reject);
      out.end(options.body);
    });
  }

  /** The event a built-in runtime was given last. */
  event(): Record<string, unknown> {
    if (this.last?.input.kind !== 'event') throw new Error('the last call had no event');
    return JSON.parse(Buffer.from(this.last.input.payload).toString()) as Record<string, unknown>;
  }
}
