import type { FunctionConfig } from '../../core/domain/function.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { VersionSpec } from '../../core/domain/version-spec.ts';
import type { Catalog } from '../../core/ports/catalog.ts';
import type { SchedulerEvent, VersionShape } from './events.ts';

export interface KnownVersion {
  readonly spec: VersionSpec;
  readonly shape: VersionShape;
}

interface KnownFunction {
  readonly account: string;
  readonly name: string;
  readonly keys: Set<string>;
  reserved: number | undefined;
  /** The newest reading of the catalog; readings follow one another. */
  reading: Promise<void>;
}

export function shapeOf(spec: VersionSpec): VersionShape {
  const { config } = spec;
  return {
    key: spec.key,
    account: spec.account,
    functionKey: `${spec.account}/${spec.functionName}`,
    concurrency: slotsOf(config),
    exclusive: config.instanceIsolationMode !== 'SHARE',
    memoryMb: config.memorySize,
    idleMs: (config.idleTimeout ?? LIMITS.idleInstanceSeconds) * 1_000,
    keepAlive: config.idleTimeout === undefined ? 'learnt' : 'fixed',
    onDemand: !config.disableOndemand,
  };
}

/** Calls one instance may hold at once; with session affinity: sessions, each of which keeps a slot while it lives. */
function slotsOf(config: FunctionConfig): number {
  if (config.instanceIsolationMode !== 'SHARE') return 1;
  return Math.max(1, config.sessionAffinity?.sessionsPerInstance ?? config.instanceConcurrency);
}

/** Versions that are known at once; beyond them those without instances are forgotten, with all that was learnt of them. */
const MOST = 1_000_000;
/** How many are looked at to find one that can be forgotten, for each that is learnt. */
const LOOKED_AT = 16;

export interface KnownVersionsOptions {
  readonly catalog: Catalog;
  readonly send: (event: SchedulerEvent) => void;
  /** True when nothing runs, waits or is reserved of the version. */
  readonly isQuiet: (key: string) => boolean;
  readonly most?: number;
}

/** The versions the scheduler has met, kept in step with the catalog: limits as they change, retired when replaced or deleted. */
export class KnownVersions {
  private readonly catalog: Catalog;
  private readonly send: (event: SchedulerEvent) => void;
  private readonly isQuiet: (key: string) => boolean;
  private readonly most: number;
  private readonly versions = new Map<string, KnownVersion>();
  private readonly functions = new Map<string, KnownFunction>();

  constructor({ catalog, send, isQuiet, most = MOST }: KnownVersionsOptions) {
    this.catalog = catalog;
    this.send = send;
    this.isQuiet = isQuiet;
    this.most = most;
  }

  /** How many are known. */
  get size(): number {
    return this.versions.size;
  }

  get(key: string): KnownVersion | undefined {
    return this.versions.get(key);
  }

  reserved(functionKey: string): number | undefined {
    return this.functions.get(functionKey)?.reserved;
  }

  /** Makes a version known, with the limit of its function in force. */
  async learn(spec: VersionSpec): Promise<KnownVersion> {
    const known = this.versions.get(spec.key);
    if (known !== undefined) return known;
    const shape = shapeOf(spec);
    let owner = this.functions.get(shape.functionKey);
    if (owner === undefined) {
      owner = {
        account: spec.account,
        name: spec.functionName,
        keys: new Set(),
        reserved: undefined,
        reading: Promise.resolve(),
      };
      this.functions.set(shape.functionKey, owner);
      owner.reading = this.readLimit(owner);
    }
    try {
      await owner.reading;
    } catch (error) {
      this.functions.delete(shape.functionKey);
      throw error;
    }
    const version = this.versions.get(spec.key) ?? { spec, shape };
    this.versions.set(spec.key, version);
    owner.keys.add(spec.key);
    this.functions.set(shape.functionKey, owner);
    if (this.versions.size > this.most) this.makeRoom(spec.key);
    return version;
  }

  /** The catalog says that something about the function changed. */
  async changed(account: string, name: string): Promise<void> {
    const owner = this.functions.get(`${account}/${name}`);
    if (owner === undefined) return;
    const read = (): Promise<void> => this.readLimit(owner);
    owner.reading = owner.reading.then(read, read);
    await owner.reading;
    await this.retireOld(owner);
  }

  /** True when the catalog would still give this very spec for its version. */
  async isCurrent(spec: VersionSpec): Promise<boolean> {
    const current = await this.catalog.spec(spec.account, spec.functionName, spec.versionId);
    return current?.key === spec.key;
  }

  /** Forgets a version that has no instances or calls any more and will not come back. */
  forget(key: string): void {
    const version = this.versions.get(key);
    if (version === undefined) return;
    this.versions.delete(key);
    const owner = this.functions.get(version.shape.functionKey);
    owner?.keys.delete(key);
    if (owner?.keys.size === 0) this.functions.delete(version.shape.functionKey);
  }

  /** Forgets one version that is quiet, of those learnt longest ago; those that are not go to the end of the line. */
  private makeRoom(newest: string): void {
    let looked = 0;
    for (const [key, version] of this.versions) {
      if (key === newest || looked++ === LOOKED_AT) return;
      if (this.isQuiet(key)) {
        this.send({ type: 'retire', version: key });
        this.forget(key);
        return;
      }
      this.versions.delete(key);
      this.versions.set(key, version);
    }
  }

  private async readLimit(owner: KnownFunction): Promise<void> {
    const record = await this.catalog.function(owner.account, owner.name);
    owner.reserved = record?.reservedConcurrency;
    const { account, name, reserved } = owner;
    this.send({ type: 'function-limit', functionKey: `${account}/${name}`, account, limit: reserved });
  }

  private async retireOld(owner: KnownFunction): Promise<void> {
    for (const key of [...owner.keys]) {
      const known = this.versions.get(key);
      if (known !== undefined && !(await this.isCurrent(known.spec))) this.send({ type: 'retire', version: key });
    }
  }
}
