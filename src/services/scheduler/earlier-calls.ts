import type { Clock } from '../../core/base/clock.ts';
import { isCustomRuntime } from '../../core/domain/version-spec.ts';
import type { InstanceLink } from '../../core/ports/instance-link.ts';
import type { InstanceRecord } from './instance-record.ts';

/** What ends an instance that cannot say what it works on. */
interface EarlierDeps {
  readonly clock: Clock;
  /** Gives it no more calls. */
  readonly leave: (record: InstanceRecord) => void;
  readonly kill: (instanceId: string) => Promise<void>;
}

/** An instance that could not be removed yet is tried again after this, ms: its node may be down. */
const AGAIN_MS = 1_000;

interface Mute {
  readonly record: InstanceRecord;
  readonly gone: Promise<void>;
  readonly exited: () => void;
  ending: boolean;
}

/** Calls that an earlier server began and that adopted instances still work on. Their answers go nowhere. */
export class EarlierCalls {
  private readonly deps: EarlierDeps;
  private readonly running = new Map<string, Promise<void>>();
  /** Adopted instances of custom runtimes, by function and id: whether they work on something nobody can tell. */
  private readonly mute = new Map<string, Map<string, Mute>>();

  constructor(deps: EarlierDeps) {
    this.deps = deps;
  }

  /** The link was just made to an instance that was found. */
  found(link: InstanceLink, record: InstanceRecord): void {
    if (isCustomRuntime(record.spec.config.runtime)) return this.foundMute(record);
    if (link.busyAtConnect.length === 0) return;
    const ended = Promise.race([link.drained(), link.closed]).then(() => {
      for (const requestId of link.busyAtConnect) this.running.delete(requestId);
    });
    for (const requestId of link.busyAtConnect) this.running.set(requestId, ended);
  }

  exited(record: InstanceRecord): void {
    const key = keyOf(record.spec);
    const instances = this.mute.get(key);
    instances?.get(record.instanceId)?.exited();
    instances?.delete(record.instanceId);
    if (instances?.size === 0) this.mute.delete(key);
  }

  /** See Scheduling.earlierCall. */
  ended(requestId: string, account: string, functionName: string): Promise<void> | undefined {
    const known = this.running.get(requestId);
    if (known !== undefined) return known;
    const instances = [...(this.mute.get(keyOf({ account, functionName }))?.values() ?? [])];
    if (instances.length === 0) return undefined;
    return Promise.all(instances.map((each) => this.end(each))).then(() => {});
  }

  private foundMute(record: InstanceRecord): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    const key = keyOf(record.spec);
    const instances = this.mute.get(key) ?? new Map<string, Mute>();
    instances.set(record.instanceId, { record, gone: promise, exited: resolve, ending: false });
    this.mute.set(key, instances);
  }

  private end(mute: Mute): Promise<void> {
    if (!mute.ending) {
      mute.ending = true;
      this.deps.leave(mute.record);
      this.kill(mute);
    }
    return mute.gone;
  }

  private kill(mute: Mute): void {
    const { clock, kill } = this.deps;
    const { instanceId, spec } = mute.record;
    kill(instanceId).catch(() => {
      clock.after(AGAIN_MS, () => {
        if (this.mute.get(keyOf(spec))?.has(instanceId) === true) this.kill(mute);
      });
    });
  }
}

function keyOf({ account, functionName }: { readonly account: string; readonly functionName: string }): string {
  return `${account}/${functionName}`;
}
