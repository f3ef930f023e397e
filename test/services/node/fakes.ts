import type { ExecListener, ExecRequest, ExecSession } from '../../../src/core/ports/exec.ts';
import type { Clock } from '../../../src/core/base/clock.ts';
import { type Disposable, toDisposable } from '../../../src/core/base/disposable.ts';
import type { Random } from '../../../src/core/base/random.ts';
import type { FunctionConfig } from '../../../src/core/domain/function.ts';
import { defaultConfig } from '../../../src/core/domain/function-defaults.ts';
import type { ExitReason } from '../../../src/core/domain/instance.ts';
import type { CodeCache, CodeFolder, CodePathKind } from '../../../src/core/ports/code-cache.ts';
import type { InstanceJournal, InstanceRecord } from '../../../src/core/ports/instance-journal.ts';
import { LinkBrokenError } from '../../../src/core/ports/instance-link.ts';
import type { StartOrder } from '../../../src/core/ports/node-pool.ts';
import type { RuntimeControl, RuntimeControlDialer } from '../../../src/core/ports/runtime-control.ts';
import type {
  BareSandbox,
  BareSpec,
  SandboxExit,
  SandboxHandle,
  SandboxLimits,
  SandboxProcess,
  SandboxRuntime,
  SandboxSpec,
  SandboxStats,
} from '../../../src/core/ports/sandbox.ts';
import type { Initialized, Load, Loaded } from '../../../src/core/protocol/runtime-frames.ts';

/** Time that only moves when told to. */
export class ManualClock implements Clock {
  private time = 1_000;
  private readonly timers = new Set<{ at: number; action: () => void }>();

  now(): number {
    return this.time;
  }

  monotonic(): number {
    return this.time;
  }

  after(delayMs: number, action: () => void): Disposable {
    const timer = { at: this.time + delayMs, action };
    this.timers.add(timer);
    return toDisposable(() => this.timers.delete(timer));
  }

  /** Runs what falls due within `ms`, in order, letting promises settle in between. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    for (;;) {
      await settle();
      const due = [...this.timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.timers.delete(due);
      this.time = Math.max(this.time, due.at);
      due.action();
    }
    this.time = end;
  }
}

/** Lets every promise that can settle do so. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

export function countingRandom(): Random {
  let count = 0;
  return {
    bytes: (length) => Uint8Array.from({ length }, () => (count = (count * 31 + 7) % 65_521) % 256),
    float: () => 0.5,
  };
}

/** How a fake function behaves. */
export interface Behaviour {
  load?: (load: Load) => Loaded | Promise<Loaded>;
  initialize?: () => Initialized | Promise<Initialized & { status?: number }>;
  preStop?: () => Promise<void>;
  trim?: () => Promise<void>;
  health?: () => { ok: boolean; detail: string };
  bootFails?: boolean;
  specialiseFails?: boolean;
}

export class FakeSandbox implements SandboxHandle {
  readonly id: string;
  readonly socketPath: string | undefined;
  readonly host: string | undefined;
  readonly source: string;
  readonly pid = 1;
  readonly exited: Promise<SandboxExit>;
  readonly spec: SandboxSpec;
  specialised: Parameters<SandboxHandle['specialise']>[0] | undefined;
  destroyed = false;
  dead = false;
  loads: Load[] = [];
  private readonly exit = Promise.withResolvers<SandboxExit>();
  private readonly listeners: ((chunk: Uint8Array) => void)[] = [];
  private readonly owner: FakeSandboxes;

  constructor(spec: SandboxSpec, owner: FakeSandboxes) {
    this.spec = spec;
    this.owner = owner;
    this.id = spec.id;
    this.socketPath = spec.listen === 'frames' ? `/fake/${spec.id}` : undefined;
    this.source = `source-${spec.id}`;
    this.host = spec.listen === 'http' ? `host-${spec.id}` : undefined;
    this.exited = this.exit.promise;
  }

  async specialise(options: Parameters<SandboxHandle['specialise']>[0]): Promise<void> {
    if (this.dead) throw new Error('no such process');
    if (this.owner.behaviour.specialiseFails === true) throw new Error('mount failed');
    this.specialised = options;
  }

  async stats(): Promise<SandboxStats> {
    return { memoryBytes: 2 ** 20, memoryPeakBytes: 3 * 2 ** 20, cpuMicros: 5, processes: 1 };
  }

  limits: SandboxLimits | undefined;
  async setLimits(limits: SandboxLimits): Promise<void> {
    this.limits = limits;
  }

  frozen = false;
  reclaimed = 0;
  async freeze(): Promise<void> {
    this.frozen = true;
  }
  async thaw(): Promise<void> {
    this.frozen = false;
  }
  async reclaim(): Promise<void> {
    this.reclaimed++;
  }

  /** Sessions that were opened and have not ended. */
  readonly sessions: { readonly request: ExecRequest; readonly listener: ExecListener }[] = [];
  async exec(request: ExecRequest, listener: ExecListener): Promise<ExecSession> {
    if (this.frozen) throw new Error('it stands still');
    this.sessions.push({ request, listener });
    return { write: () => true, end() {}, resume() {}, resize() {}, close: () => listener.ended({}) };
  }

  onOutput(listener: (chunk: Uint8Array) => void): void {
    this.listeners.push(listener);
  }

  print(text: string): void {
    for (const listener of this.listeners) listener(Buffer.from(text));
  }

  die(exit: SandboxExit): void {
    this.dead = true;
    this.exit.resolve(exit);
  }

  async kill(reason: ExitReason): Promise<void> {
    this.die({ reason, exitCode: 137 });
  }

  async destroy(): Promise<void> {
    this.die({ reason: 'killed' });
    this.destroyed = true;
    this.owner.all.delete(this.id);
  }
}

export class FakeSandboxes implements SandboxRuntime {
  readonly tier = 'container' as const;
  readonly all = new Map<string, FakeSandbox>();
  created = 0;
  behaviour: Behaviour = {};

  async create(spec: SandboxSpec): Promise<FakeSandbox> {
    this.created++;
    await settle();
    const sandbox = new FakeSandbox(spec, this);
    this.all.set(spec.id, sandbox);
    return sandbox;
  }

  /** Those made without a process, with what was started in them. */
  readonly begun = new Map<FakeSandbox, SandboxProcess | undefined>();

  readonly createBare = async (spec: BareSpec): Promise<BareSandbox> => {
    const handle = await this.create({ ...spec, process: { args: [], env: {}, cwd: '/' }, mounts: [] });
    this.begun.set(handle, undefined);
    return {
      handle,
      begin: async (process) => {
        if (handle.dead || this.begun.get(handle) !== undefined) throw new Error('ended or begun');
        this.begun.set(handle, process);
      },
    };
  };

  async adopt(): Promise<readonly FakeSandbox[]> {
    return [...this.all.values()].filter((sandbox) => !sandbox.dead);
  }

  async close(): Promise<void> {}

  /** The sandbox an address leads to. */
  at(address: { kind: string; path?: string; host?: string }): FakeSandbox {
    for (const sandbox of this.all.values()) {
      if (sandbox.socketPath === address.path && sandbox.host === address.host) return sandbox;
    }
    throw new LinkBrokenError('nothing listens');
  }
}

/** Controls of fake sandboxes: what the function does is read from `behaviour` when it does it. */
export function fakeDialer(sandboxes: FakeSandboxes): RuntimeControlDialer {
  return {
    async dial(address): Promise<RuntimeControl> {
      const sandbox = sandboxes.at(address);
      if (sandboxes.behaviour.bootFails === true) {
        sandbox.print('cannot boot');
        sandbox.die({ reason: 'crash', exitCode: 9 });
        throw new LinkBrokenError('connection closed');
      }
      const closed = Promise.withResolvers<void>();
      void sandbox.exited.then(() => closed.resolve());
      return {
        hello: { protocol: 1, runtime: 'fake', state: 'booted', busy: [] },
        async load(load) {
          sandbox.loads.push(load);
          return (await sandboxes.behaviour.load?.(load)) ?? { ok: true, ms: 1 };
        },
        initialize: async () => (await sandboxes.behaviour.initialize?.()) ?? { ok: true, ms: 1 },
        async preStop() {
          await sandboxes.behaviour.preStop?.();
          return { ok: true, ms: 1 };
        },
        async trim() {
          await sandboxes.behaviour.trim?.();
        },
        checkHealth: async () => sandboxes.behaviour.health?.() ?? { ok: true, detail: '' },
        onOutput: () => ({ dispose() {} }),
        closed: closed.promise,
        close: () => closed.resolve(),
      };
    },
  };
}

export class FakeCode implements CodeCache {
  held = 0;
  asked = 0;
  kinds: Record<string, CodePathKind> = { bootstrap: 'executable' };

  async package(code: { digest: string }): Promise<CodeFolder> {
    return this.hold(`/cache/${code.digest}`);
  }

  async layers(codes: readonly { digest: string }[]): Promise<CodeFolder> {
    return this.hold(`/cache/${codes.map((code) => code.digest).join('+')}`);
  }

  async close(): Promise<void> {}

  private hold(path: string): CodeFolder {
    this.held++;
    this.asked++;
    let held = true;
    return {
      path,
      look: async (relativePath) => this.kinds[relativePath] ?? 'missing',
      release: () => {
        if (held) this.held--;
        held = false;
      },
    };
  }
}

export class MemoryJournal implements InstanceJournal {
  readonly records = new Map<string, InstanceRecord>();
  write(record: InstanceRecord): void {
    this.records.set(record.sandboxId, structuredClone(record));
  }
  remove(sandboxId: string): void {
    this.records.delete(sandboxId);
  }
  list(): readonly InstanceRecord[] {
    return [...this.records.values()];
  }
}

export const DEFAULT_CONFIG: FunctionConfig = {
  ...defaultConfig('nodejs20', 'index.handler'),
  cpu: 0.5,
  memorySize: 128,
};

let orders = 0;

export function orderOf(config: Partial<FunctionConfig> = {}): StartOrder {
  const number = ++orders;
  return {
    instanceId: `c-${number}`,
    requestId: `1-${number}`,
    credentials: { accessKeyId: 'STS.id', accessKeySecret: 'secret', securityToken: 'token', expiresAt: 0 },
    spec: {
      key: 'account/f/LATEST@1',
      account: '1234567890123456',
      functionName: 'f',
      functionArn: 'acs:fc:local:1234567890123456:functions/f',
      versionId: 'LATEST',
      config: { ...DEFAULT_CONFIG, ...config },
      code: { owner: '1234567890123456', digest: 'code1', checksum: '0', size: 1 },
      layers: [],
    },
  };
}
