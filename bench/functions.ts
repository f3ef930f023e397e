import { Readable } from 'node:stream';
import fcModule, { CreateFunctionRequest, InvokeFunctionRequest } from '@alicloud/fc20230330';
import { ZipFile } from 'yazl';
import type { Platform } from '../conformance/start.ts';

/** Answers with what it was given: what is measured is the way to it and back. */
const ECHO = 'exports.handler = async (event) => event;\n';

export interface BenchFunction {
  readonly name: string;
  readonly runtime: string;
  /** index.js; without it the function echoes. */
  readonly code?: string;
  /** Cores and MB; the smallest size when not given. */
  readonly cpu?: number;
  readonly memorySize?: number;
  readonly environment?: Readonly<Record<string, string>>;
}

type Client = InstanceType<typeof fcModule.default>;

export function fcClient(platform: Platform): Client {
  // The SDK's constructor wants its own Config class; it casts a plain object itself (FC reference 2.1).
  const config = {
    accessKeyId: platform.accessKeyId,
    accessKeySecret: platform.accessKeySecret,
    endpoint: new URL(platform.endpoint).host,
    protocol: 'http',
    regionId: 'local',
    readTimeout: 60_000,
    connectTimeout: 60_000,
  } as unknown as ConstructorParameters<typeof fcModule.default>[0];
  return new fcModule.default(config);
}

/** Deploys an echo function with the vendor's SDK. */
export async function deployEcho(client: Client, wanted: BenchFunction): Promise<void> {
  const zip = new ZipFile();
  zip.addBuffer(Buffer.from(wanted.code ?? ECHO), 'index.js');
  zip.end();
  const chunks: Buffer[] = [];
  for await (const chunk of zip.outputStream) chunks.push(Buffer.from(chunk as Uint8Array));
  const body = {
    functionName: wanted.name,
    runtime: wanted.runtime,
    handler: 'index.handler',
    memorySize: wanted.memorySize ?? 128,
    cpu: wanted.cpu ?? 0.1,
    timeout: 30,
    environmentVariables: wanted.environment ?? {},
    code: { zipFile: Buffer.concat(chunks).toString('base64') },
  };
  await client.createFunction(new CreateFunctionRequest({ body }));
}

/** Calls once through the SDK. */
export async function callOnce(client: Client, name: string, payload: string): Promise<void> {
  const answer = await client.invokeFunction(
    name,
    new InvokeFunctionRequest({ body: Readable.from([Buffer.from(payload)]) }),
  );
  const failure = answer.headers?.['x-fc-error-type'];
  if (failure !== undefined) throw new Error(`${name} failed: ${failure}`);
}
