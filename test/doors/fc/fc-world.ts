import type { Access } from '../../../src/core/ports/access.ts';
import type { RoleTrust } from '../../../src/core/ports/role-trust.ts';
import type { AsyncTasks } from '../../../src/core/ports/async-tasks.ts';
import FcModule, * as FcModels from '@alicloud/fc20230330';
import type { FunctionView, LayerView } from '../../../src/core/ports/control.ts';
import type { Control } from '../../../src/core/ports/control.ts';
import type { Dispatch } from '../../../src/core/ports/dispatch.ts';
import type { ReservedInstances } from '../../../src/core/ports/reserved-instances.ts';
import type { FactLog } from '../../../src/core/ports/fact-log.ts';
import type { Scheduling } from '../../../src/core/ports/scheduling.ts';
import type { Sessions } from '../../../src/core/ports/sessions.ts';
import type { BlobStore } from '../../../src/core/ports/blob-store.ts';
import { createFcDoor } from '../../../src/doors/fc/door.ts';
import { ACCOUNT, CONFIG, doorBasics, partial, serve, type TestServer } from '../door-world.ts';

/** The unmodified SDK and a door whose ports are fakes. */
export interface FcWorld {
  readonly server: TestServer;
  readonly client: FcModule.default;
  close(): Promise<void>;
}

export interface Fakes {
  readonly control?: Partial<Control>;
  readonly dispatch?: Partial<Dispatch>;
  readonly tasks?: Partial<AsyncTasks>;
  readonly scheduling?: Partial<Scheduling>;
  readonly reserved?: Partial<ReservedInstances>;
  readonly sessions?: Partial<Sessions>;
  readonly blobs?: Partial<BlobStore>;
  readonly facts?: Partial<FactLog>;
  /** Default: what the platform gives principals without any policy of their own. */
  readonly access?: Access;
  readonly roles?: RoleTrust;
}

export async function fcWorld(fakes: Fakes, now?: () => number): Promise<FcWorld> {
  const door = createFcDoor({
    ...doorBasics(now),
    control: partial<Control>('control', fakes.control ?? {}),
    dispatch: partial<Dispatch>('dispatch', fakes.dispatch ?? {}),
    scheduling: partial<Scheduling>('scheduling', fakes.scheduling ?? {}),
    tasks: partial<AsyncTasks>('tasks', fakes.tasks ?? {}),
    reserved: partial<ReservedInstances>('reserved', fakes.reserved ?? {}),
    sessions: partial<Sessions>('sessions', fakes.sessions ?? {}),
    facts: partial<FactLog>('facts', fakes.facts ?? {}),
    nodes: { exec: () => Promise.reject(new Error('no nodes')) },
    blobs: partial<BlobStore>('blobs', fakes.blobs ?? {}),
    ...(fakes.access === undefined ? {} : { access: fakes.access }),
    ...(fakes.roles === undefined ? {} : { roles: fakes.roles }),
    publicUrl: () => server.url,
    triggerUrls: (prefix) => ({
      internet: `${server.url}/~${prefix}`,
      intranet: `http://${prefix}.local.fcapp.localhost`,
    }),
    linkSecret: Buffer.alloc(32, 7),
  });
  const server: TestServer = await serve(door.handle);
  return { server, client: sdk(server.host), close: () => server.close() };
}

export function sdk(host: string, keys = { accessKeyId: 'AKTEST', accessKeySecret: 'SKTEST' }): FcModule.default {
  const Client = FcModule.default;
  const config = {
    ...keys,
    endpoint: host,
    protocol: 'http',
    regionId: 'local',
    readTimeout: 30_000,
    connectTimeout: 30_000,
  };
  return new Client(config as ConstructorParameters<typeof Client>[0]);
}

export { FcModels };

const T0 = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

export function viewOf(rest: Partial<FunctionView> = {}): FunctionView {
  const code = { owner: '1234567890123456', digest: 'ab'.repeat(32), checksum: '11051210869376104954', size: 321 };
  return {
    record: {
      account: ACCOUNT,
      name: 'f',
      functionId: '6f9619ff-8b86-4d01-b42d-00cf4fc964ff',
      config: CONFIG,
      code,
      tags: [{ key: 'team', value: 'a' }],
      createdTime: T0,
      lastModifiedTime: T0,
      generation: 1,
      lastVersionId: 0,
      lastPublishedGeneration: 0,
    },
    functionArn: `acs:fc:local:${ACCOUNT}:functions/f`,
    versionId: 'LATEST',
    config: { ...CONFIG, layers: ['acs:fc:local:1:layers/L/versions/1'] },
    code,
    createdTime: T0,
    lastModifiedTime: T0,
    layers: [{ arn: 'acs:fc:local:1:layers/L/versions/1', size: 5 }],
    ...rest,
  };
}

export function layerOf(version: number): LayerView {
  return {
    arn: `acs:fc:local:${ACCOUNT}:layers/L/versions/${version}`,
    record: {
      account: ACCOUNT,
      layerName: 'L',
      version,
      code: { owner: '1234567890123456', digest: 'cd'.repeat(32), checksum: '7', size: 9 },
      compatibleRuntime: ['nodejs20'],
      description: 'd',
      license: 'MIT',
      public: false,
      createdTime: T0,
    },
  };
}
