import type { Principal } from '../../core/domain/credentials.ts';
import type { CausingInvocation, Lineage } from '../../core/domain/lineage.ts';
import type { VersionSpec } from '../../core/domain/version-spec.ts';

/** An instance as far as requests that it makes itself are concerned. */
export interface CallingInstance {
  running(): CausingInvocation | undefined;
  rested(): CausingInvocation | undefined;
}

interface Entry {
  readonly functionArn: string;
  readonly source: string | undefined;
}

/** Which instance a connection or a temporary key belongs to, and so which invocation makes a request (CallerLineage). */
export class TrafficCallers {
  private readonly entries = new Map<CallingInstance, Entry>();
  private readonly bySource = new Map<string, CallingInstance>();
  private readonly byFunction = new Map<string, Set<CallingInstance>>();
  private readonly waiting = new Map<string, Set<CausingInvocation>>();

  add(instance: CallingInstance, functionArn: string, source: string | undefined): void {
    this.entries.set(instance, { functionArn, source });
    if (source !== undefined) for (const form of addressForms(source)) this.bySource.set(form, instance);
    addTo(this.byFunction, functionArn, instance);
  }

  remove(instance: CallingInstance): void {
    const entry = this.entries.get(instance);
    if (entry === undefined) return;
    this.entries.delete(instance);
    if (entry.source !== undefined) {
      for (const form of addressForms(entry.source)) {
        if (this.bySource.get(form) === instance) this.bySource.delete(form);
      }
    }
    removeFrom(this.byFunction, entry.functionArn, instance);
  }

  starting(spec: VersionSpec, requestId: string, lineage: Lineage): () => void {
    const call = { functionName: spec.functionName, requestId, lineage };
    addTo(this.waiting, spec.functionArn, call);
    return () => removeFrom(this.waiting, spec.functionArn, call);
  }

  of(remoteAddress: string | undefined, principal: Principal | undefined): CausingInvocation | undefined {
    const instance = remoteAddress === undefined ? undefined : this.bySource.get(remoteAddress);
    const caller = instance?.running() ?? instance?.rested();
    if (caller !== undefined) return caller;
    if (principal?.functionArn === undefined) return undefined;
    return this.ofFunction(principal.functionArn);
  }

  private ofFunction(functionArn: string): CausingInvocation | undefined {
    const instances = this.byFunction.get(functionArn) ?? NONE;
    const running = [...instances].map((instance) => instance.running());
    const active = furthest([...running, ...(this.waiting.get(functionArn) ?? NONE)]);
    return active ?? furthest([...instances].map((instance) => instance.rested()));
  }
}

const NONE: ReadonlySet<never> = new Set();

function furthest(calls: readonly (CausingInvocation | undefined)[]): CausingInvocation | undefined {
  let found: CausingInvocation | undefined;
  for (const call of calls) {
    if (call !== undefined && (found === undefined || call.lineage.hops > found.lineage.hops)) found = call;
  }
  return found;
}

/** A listener on `::` shows IPv4 peers in their mapped form. */
function addressForms(source: string): readonly string[] {
  return [source, `::ffff:${source}`];
}

function addTo<T>(sets: Map<string, Set<T>>, key: string, value: T): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([value]));
  else set.add(value);
}

function removeFrom<T>(sets: Map<string, Set<T>>, key: string, value: T): void {
  const set = sets.get(key);
  set?.delete(value);
  if (set?.size === 0) sets.delete(key);
}
