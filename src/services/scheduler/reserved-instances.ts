import { Alarm } from '../../core/base/alarm.ts';
import type { Clock } from '../../core/base/clock.ts';
import { type Disposable, DisposableStore } from '../../core/base/disposable.ts';
import type { Logger } from '../../core/base/log.ts';
import type { ReservedConfigRecord } from '../../core/domain/reserved-config.ts';
import { desiredTarget } from '../../core/domain/reserved-target.ts';
import type { VersionSpec } from '../../core/domain/version-spec.ts';
import type { Catalog } from '../../core/ports/catalog.ts';
import type { NodePool } from '../../core/ports/node-pool.ts';
import type { ReservedConfigs, ReservedInstances, ReservedStatus } from '../../core/ports/reserved-instances.ts';
import type { ReservedFloor } from './events.ts';
import type { ReservedCapacity } from './reserved-capacity.ts';
import type { ServingCatalog } from './reserved-catalog.ts';
import { UsageReadings } from './reserved-metrics.ts';
import { scheduleFiring } from './reserved-schedule.ts';
import { type Formation, type Moment, Standing, type StandingDeps } from './reserved-standing.ts';
import type { TrackingPace } from './reserved-tracking.ts';
import { NO_FLOOR } from './state.ts';

export interface ReservedInstancesDeps {
  readonly configs: ReservedConfigs;
  /** Functions as they were put last. */
  readonly catalog: Catalog;
  /** Functions as calls see them; kept here. */
  readonly serving: ServingCatalog;
  readonly capacity: ReservedCapacity;
  readonly pool: Pick<NodePool, 'onUsage' | 'onExit'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings?: Partial<ReservedSettings>;
}

export interface ReservedSettings extends TrackingPace {
  /** How often utilisation is read, milliseconds. */
  readonly sampleMs: number;
  /** How often a roll-out is looked at, milliseconds. */
  readonly rollMs: number;
  readonly lingerMs: number;
}

const DEFAULTS: ReservedSettings = { growMs: 5_000, shrinkMs: 60_000, sampleMs: 1_000, rollMs: 20, lingerMs: 1_000 };

/** The reserved instances of one function. */
interface Owner {
  readonly account: string;
  readonly name: string;
  /** By qualifier, in their order. */
  readonly standings: Map<string, Standing>;
  /** What the scheduler was told last, by version. */
  readonly applied: Map<string, { readonly spec: VersionSpec; readonly floor: ReservedFloor }>;
  /** When to look at it again, monotonic milliseconds. */
  due: number;
  /** Readings of the configs follow one another. */
  reading: Promise<void>;
}

/**
 * Keeps what configs of reserved instances ask for: follows configs, functions, schedules and utilisation, and tells the scheduler how
 * many instances of which version to keep. Holds no state of its own that a restart would miss: instances found running count.
 */
class ReservedLoop implements ReservedInstances, Disposable {
  private readonly deps: ReservedInstancesDeps;
  private readonly settings: ReservedSettings;
  private readonly owners = new Map<string, Owner>();
  private readonly usages = new UsageReadings();
  private readonly lifetime = new DisposableStore();
  private readonly alarm: Alarm;
  private readonly standingDeps: StandingDeps;
  private disposed = false;

  constructor(deps: ReservedInstancesDeps) {
    this.deps = deps;
    this.settings = { ...DEFAULTS, ...deps.settings };
    this.alarm = this.lifetime.add(new Alarm(deps.clock, () => this.tick()));
    const { capacity } = deps;
    this.standingDeps = {
      firing: scheduleFiring,
      pace: this.settings,
      lingerMs: this.settings.lingerMs,
      report: (key) => capacity.report(key),
      sample: (spec) => {
        const report = capacity.report(spec.key);
        return { spec, report, usages: report.instanceIds.map((id) => this.usages.get(id)) };
      },
    };
  }

  /** Resolves when every config that is there has been read and its instances are asked for. */
  async start(): Promise<void> {
    const { catalog, pool, clock, configs } = this.deps;
    this.lifetime.add(catalog.onFunction(({ account, name }) => this.changed(account, name)));
    this.lifetime.add(pool.onUsage((usage) => this.usages.take(usage, clock.monotonic())));
    this.lifetime.add(pool.onExit(({ instanceId }) => this.usages.forget(instanceId)));
    const owners = await configs.owners();
    await Promise.all(owners.map(({ account, functionName }) => this.read(account, functionName)));
  }

  dispose(): void {
    this.disposed = true;
    this.lifetime.dispose();
  }

  status(config: ReservedConfigRecord): ReservedStatus {
    const { account, functionName, qualifier } = config;
    const wall = this.deps.clock.now();
    const taken = new Map<string, number>();
    for (const [name, standing] of this.owners.get(`${account}/${functionName}`)?.standings ?? []) {
      const own = name === qualifier;
      const status = standing.status(own ? config : standing.config, wall, taken);
      if (own) return status;
    }
    // Just put: the loop has not met it yet.
    return { target: desiredTarget(config, wall, scheduleFiring, ({ min }) => min), current: 0, error: '' };
  }

  private changed(account: string, name: string): void {
    this.read(account, name).catch((error: unknown) => {
      this.deps.logger.log('error', 'the reserved instances of a function could not be followed', {
        function: `${account}/${name}`,
        error: String(error),
      });
    });
  }

  /** Reads the configs of a function anew, after those readings that are under way. */
  private read(account: string, name: string): Promise<void> {
    const key = `${account}/${name}`;
    let owner = this.owners.get(key);
    if (owner === undefined) {
      owner = {
        account,
        name,
        standings: new Map(),
        applied: new Map(),
        due: Number.POSITIVE_INFINITY,
        reading: Promise.resolve(),
      };
      this.owners.set(key, owner);
    }
    const mine = owner;
    const again = (): Promise<void> => this.readNow(mine);
    mine.reading = mine.reading.then(again, again);
    return mine.reading;
  }

  private async readNow(owner: Owner): Promise<void> {
    const { account, name, standings } = owner;
    const configs = await this.deps.configs.of(account, name);
    const found = new Map<string, Formation>();
    for (const { qualifier } of configs) {
      const formation = await this.formation(account, name, qualifier);
      if (formation !== undefined) found.set(qualifier, formation);
    }
    if (this.disposed) return;
    for (const qualifier of standings.keys()) {
      if (found.has(qualifier)) continue;
      standings.delete(qualifier);
      this.deps.serving.release(account, name, qualifier);
    }
    for (const config of configs) {
      const goal = found.get(config.qualifier);
      if (goal === undefined) continue;
      const standing = standings.get(config.qualifier);
      if (standing === undefined) standings.set(config.qualifier, new Standing(this.standingDeps, config, goal));
      else standing.configure(config, goal);
    }
    await this.step(owner);
    if (standings.size === 0 && owner.applied.size === 0) this.owners.delete(`${account}/${name}`);
    else this.wake(owner);
  }

  private async formation(account: string, name: string, qualifier: string): Promise<Formation | undefined> {
    const { catalog } = this.deps;
    if (qualifier === 'LATEST') {
      const spec = await catalog.spec(account, name, 'LATEST');
      return spec === undefined ? undefined : { members: [{ spec, weight: 1 }], alias: undefined };
    }
    const alias = await catalog.alias(account, name, qualifier);
    if (alias === undefined) return undefined;
    const extra = Object.entries(alias.additionalVersionWeight);
    const rest = Math.max(0, 1 - extra.reduce((sum, [, weight]) => sum + weight, 0));
    const members: { spec: VersionSpec; weight: number }[] = [];
    for (const [versionId, weight] of [[alias.versionId, rest] as const, ...extra]) {
      const spec = await catalog.spec(account, name, versionId);
      if (spec !== undefined) members.push({ spec, weight });
    }
    return members.length === 0 ? undefined : { members, alias };
  }

  /** One look at a function: roll-outs move on, and the scheduler hears what is wanted where that has changed. */
  private async step(owner: Owner): Promise<void> {
    const { clock, capacity } = this.deps;
    const moment: Moment = { wall: clock.now(), mono: clock.monotonic() };
    const wanted = new Map<string, { spec: VersionSpec; floor: ReservedFloor }>();
    for (const standing of owner.standings.values()) {
      const { alwaysAllocateCPU, onDemand, requestDispatchPolicy } = standing.config;
      for (const { spec, count } of standing.step(moment)) {
        const floor = wanted.get(spec.key)?.floor ?? NO_FLOOR;
        wanted.set(spec.key, {
          spec,
          floor: {
            count: floor.count + count,
            onDemand: floor.onDemand && onDemand,
            alwaysCpu: floor.alwaysCpu || alwaysAllocateCPU,
            balanced: floor.balanced || requestDispatchPolicy === 'Balanced',
          },
        });
      }
      this.serve(standing);
    }
    for (const [key, { spec }] of owner.applied) if (!wanted.has(key)) wanted.set(key, { spec, floor: NO_FLOOR });
    for (const [key, { spec, floor }] of wanted) {
      const before = owner.applied.get(key)?.floor ?? NO_FLOOR;
      if (sameFloor(before, floor)) continue;
      owner.applied.set(key, { spec, floor });
      await capacity.reserve(spec, floor);
      if (sameFloor(floor, NO_FLOOR)) owner.applied.delete(key);
    }
  }

  private serve({ serving }: Standing): void {
    const [first] = serving.members;
    if (serving.alias !== undefined) this.deps.serving.serveAlias(serving.alias);
    else if (first !== undefined) this.deps.serving.serveHead(first.spec);
  }

  private tick(): void {
    const now = this.deps.clock.monotonic();
    for (const owner of this.owners.values()) {
      if (owner.due > now) {
        this.alarm.wakeBy(owner.due);
        continue;
      }
      owner.due = Number.POSITIVE_INFINITY;
      const look = async (): Promise<void> => {
        if (this.disposed) return;
        await this.step(owner);
        this.wake(owner);
      };
      owner.reading = owner.reading.then(look, look);
      owner.reading.catch((error: unknown) => {
        this.deps.logger.log('error', 'the reserved instances of a function could not be kept', {
          function: `${owner.account}/${owner.name}`,
          error: String(error),
        });
        this.lookBy(owner, this.settings.sampleMs);
      });
    }
  }

  /** Looks again when something may have changed by itself. */
  private wake(owner: Owner): void {
    const { clock } = this.deps;
    let afterMs = Number.POSITIVE_INFINITY;
    for (const standing of owner.standings.values()) {
      if (standing.rolling) afterMs = Math.min(afterMs, this.settings.rollMs);
      if (standing.config.tracking.length > 0) afterMs = Math.min(afterMs, this.settings.sampleMs);
      // Wall clocks jump: a schedule far away is looked at again within the hour.
      afterMs = Math.min(afterMs, Math.max(1, Math.min(standing.nextChange - clock.now(), 3_600_000)));
    }
    this.lookBy(owner, afterMs);
  }

  private lookBy(owner: Owner, afterMs: number): void {
    owner.due = this.deps.clock.monotonic() + afterMs;
    this.alarm.wakeBy(owner.due);
  }
}

function sameFloor(a: ReservedFloor, b: ReservedFloor): boolean {
  return a.count === b.count && a.onDemand === b.onDemand && a.alwaysCpu === b.alwaysCpu && a.balanced === b.balanced;
}

/** Reserved instances over the scheduler's capacity. `start` after scheduling has adopted what runs; `dispose` before it closes. */
export function createReservedInstances(
  deps: ReservedInstancesDeps,
): ReservedInstances & Disposable & { start(): Promise<void> } {
  return new ReservedLoop(deps);
}
