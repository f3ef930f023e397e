import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import type { LookupFunction } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import OSS from 'ali-oss';

/** Where the tests go: a running server by TIDEMILL_OBJECTS_ENDPOINT and keys, else an endpoint started for this file. */
export interface Endpoint {
  readonly url: URL;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly region: string;
  /** Temporary credentials, and the key of another account, where the server under test has such. */
  readonly temporary: { readonly id: string; readonly secret: string; readonly token: string } | undefined;
  readonly stranger: { readonly id: string; readonly secret: string } | undefined;
  stop(): Promise<void>;
}

export async function openEndpoint(): Promise<Endpoint> {
  const external = process.env['TIDEMILL_OBJECTS_ENDPOINT'];
  if (external === undefined) return startEndpoint();
  return {
    url: new URL(external),
    accessKeyId: process.env['TIDEMILL_ACCESS_KEY_ID'] ?? '',
    accessKeySecret: process.env['TIDEMILL_ACCESS_KEY_SECRET'] ?? '',
    region: process.env['TIDEMILL_REGION'] ?? 'local',
    temporary: undefined,
    stranger: undefined,
    stop: async () => undefined,
  };
}

interface Ready {
  readonly port: number;
  readonly keys: {
    readonly root: { readonly id: string; readonly secret: string };
    readonly temporary: { readonly id: string; readonly secret: string; readonly token: string };
    readonly stranger: { readonly id: string; readonly secret: string };
  };
}

async function startEndpoint(): Promise<Endpoint> {
  const dir = await mkdtemp(join(tmpdir(), 'tidemill-objects-'));
  const script = new URL('../../test/doors/objects/endpoint-process.ts', import.meta.url);
  const child = fork(script, [dir], { execArgv: [] });
  const [ready] = (await once(child, 'message')) as [Ready];
  return {
    url: new URL(`http://127.0.0.1:${ready.port}`),
    accessKeyId: ready.keys.root.id,
    accessKeySecret: ready.keys.root.secret,
    region: 'local',
    temporary: ready.keys.temporary,
    stranger: ready.keys.stranger,
    stop: async () => {
      const exited = once(child, 'exit');
      child.disconnect();
      await exited;
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** `*.localhost` means this machine, also where the resolver of the host does not know that. */
const lookup: LookupFunction = (_name, options, callback) => {
  if (options.all === true) callback(null, [{ address: '127.0.0.1', family: 4 }]);
  else callback(null, '127.0.0.1', 4);
};

export function loopbackAgent(): Agent {
  return new Agent({ keepAlive: true, lookup });
}

/** How a client names the bucket. */
export type Style = 'path' | 'virtual' | 'ip';
export const STYLES: readonly Style[] = ['path', 'virtual', 'ip'];

export interface OssVariant {
  readonly style: Style;
  readonly v4: boolean;
}

/** The real ali-oss. `path`: sldEnable; `virtual`: bucket.oss.localhost; `ip`: its plain use with an IP endpoint. */
export function ossClient(endpoint: Endpoint, variant: OssVariant, options: Partial<OSS.Options> = {}): OSS {
  const host = variant.style === 'virtual' ? `oss.localhost:${endpoint.url.port}` : endpoint.url.host;
  const settings: OSS.Options & { authorizationV4: boolean; sldEnable: boolean } = {
    accessKeyId: endpoint.accessKeyId,
    accessKeySecret: endpoint.accessKeySecret,
    region: `oss-${endpoint.region}`,
    endpoint: `http://${host}`,
    sldEnable: variant.style === 'path',
    authorizationV4: variant.v4,
    agent: loopbackAgent(),
    ...options,
  } as OSS.Options & { authorizationV4: boolean; sldEnable: boolean };
  return new OSS(settings);
}

/** The real AWS SDK. */
export function s3Client(endpoint: Endpoint, style: 'path' | 'virtual', options: S3ClientConfig = {}): S3Client {
  const host = style === 'virtual' ? `s3.localhost:${endpoint.url.port}` : endpoint.url.host;
  return new S3Client({
    endpoint: `http://${host}`,
    region: endpoint.region,
    forcePathStyle: style === 'path',
    credentials: { accessKeyId: endpoint.accessKeyId, secretAccessKey: endpoint.accessKeySecret },
    requestHandler: { httpAgent: loopbackAgent() },
    maxAttempts: 1,
    ...options,
  });
}

let counter = 0;

/** A bucket name that no other test uses, also on a server that keeps its data. */
export function newBucketName(): string {
  counter += 1;
  return `conf-${process.pid}-${Date.now().toString(36)}-${counter}`;
}

/** Keys that names, URLs and XML like to mangle. */
export const ODD_KEYS: readonly string[] = [
  'plain.txt',
  'a/b/c.txt',
  'with space.txt',
  'plus+plus.txt',
  'percent%41%2F%.txt',
  'ünïcödé/文件/😀.txt',
  'query?a=b&c=d#hash.txt',
  `quotes'"<>&;.txt`,
  '../../etc/passwd',
  './dot/../dots//double//slashes',
  "brackets[]{}()!*'~^|`$,:@=.txt",
  'trailing/',
  'back\\slash\\..\\x',
  'é'.normalize('NFD'),
];
