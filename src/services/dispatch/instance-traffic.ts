import type { InstanceExit } from '../../core/domain/instance.ts';
import type { Principal } from '../../core/domain/credentials.ts';
import type { CausingInvocation, Lineage } from '../../core/domain/lineage.ts';
import { isCustomRuntime, type VersionSpec } from '../../core/domain/version-spec.ts';
import { TrafficCallers } from './traffic-callers.ts';

/** A call as its instance's traffic sees it. */
export interface TrafficCall {
  readonly requestId: string;
  readonly lineage: Lineage;
  /** Lines that the instance wrote outside the call's own channel, whole and without the last newline. */
  onInstanceOutput(lines: string): void;
  onInstanceExit(exit: InstanceExit): void;
}

/** Where lines of an instance's own output belong. */
export interface AttributedOutput {
  readonly requestId: string;
  readonly text: string;
}

/** The lines that custom runtimes print around a request (FC reference 4.5). */
const MARK = /^FC (?:Invoke|Initialize|PreStop) (Start|End) RequestId: ([\w-]+)/;

/** What one instance is doing for us: the calls in flight, memory, and whose output it writes. */
export class InstanceTraffic {
  readonly instanceId: string;
  readonly spec: VersionSpec | undefined;
  readonly calls = new Set<TrafficCall>();
  memoryPeakBytes = 0;
  exit: InstanceExit | undefined = undefined;
  /** The last call that ended: late output of an instance that does one thing at a time is its. */
  private last = '';
  private lastLineage: Lineage | undefined = undefined;
  private marked: string | undefined = undefined;

  constructor(instanceId: string, spec: VersionSpec | undefined) {
    this.instanceId = instanceId;
    this.spec = spec;
  }

  leave(call: TrafficCall): void {
    this.calls.delete(call);
    this.last = call.requestId;
    this.lastLineage = call.lineage;
  }

  get memoryPeakMb(): number {
    return this.memoryPeakBytes / 1_048_576;
  }

  /** The running call with the most hops: of several nobody can tell which one makes a request. */
  running(): CausingInvocation | undefined {
    let found: TrafficCall | undefined;
    for (const call of this.calls) if (found === undefined || call.lineage.hops > found.lineage.hops) found = call;
    return found === undefined ? undefined : this.cause(found.requestId, found.lineage);
  }

  /** The call that ended last: what an instance does between calls is left of it. */
  rested(): CausingInvocation | undefined {
    return this.lastLineage === undefined ? undefined : this.cause(this.last, this.lastLineage);
  }

  private cause(requestId: string, lineage: Lineage): CausingInvocation {
    return { functionName: this.spec?.functionName ?? '', requestId, lineage };
  }

  /** Splits whole lines of output by the request they belong to. */
  attribute(text: string): readonly AttributedOutput[] {
    const custom = this.spec !== undefined && isCustomRuntime(this.spec.config.runtime);
    if (!custom || (this.marked === undefined && !text.includes('RequestId: '))) {
      return [{ requestId: this.marked ?? this.likely(), text }];
    }
    const parts: { requestId: string; lines: string[] }[] = [];
    for (const line of text.split('\n')) {
      const mark = MARK.exec(line);
      if (mark?.[1] === 'Start') this.marked = mark[2];
      const requestId = mark?.[2] ?? this.marked ?? this.likely();
      if (mark?.[1] === 'End') this.marked = undefined;
      const part = parts.at(-1);
      if (part?.requestId === requestId) part.lines.push(line);
      else parts.push({ requestId, lines: [line] });
    }
    return parts.map(({ requestId, lines }) => ({ requestId, text: lines.join('\n') }));
  }

  /** Of one call in flight it is that call's; of none the last one's; of several nobody can tell. */
  private likely(): string {
    if (this.calls.size > 1) return '';
    for (const call of this.calls) return call.requestId;
    return (this.spec?.config.instanceConcurrency ?? 1) > 1 ? '' : this.last;
  }
}

const REMEMBERED_EXITS = 1_024;

/** The traffic of all instances, and the last exits: a call may learn of its broken link after the exit was announced. */
export class Traffic {
  private readonly instances = new Map<string, InstanceTraffic>();
  private readonly gone = new Map<string, InstanceExit>();
  private readonly callers = new TrafficCallers();
  private readonly sourceOf: (instanceId: string) => string | undefined;

  /** `sourceOf`: the network address that connections of an instance come from, if it has one of its own. */
  constructor(sourceOf: (instanceId: string) => string | undefined) {
    this.sourceOf = sourceOf;
  }

  /** For a call that is about to begin. */
  of(instanceId: string, spec: VersionSpec): InstanceTraffic {
    const known = this.instances.get(instanceId);
    if (known?.spec !== undefined) return known;
    const traffic = new InstanceTraffic(instanceId, spec);
    traffic.memoryPeakBytes = known?.memoryPeakBytes ?? 0;
    traffic.exit = this.gone.get(instanceId);
    if (traffic.exit === undefined) {
      this.instances.set(instanceId, traffic);
      this.callers.add(traffic, spec.functionArn, this.sourceOf(instanceId));
    }
    return traffic;
  }

  find(instanceId: string): InstanceTraffic | undefined {
    return this.instances.get(instanceId);
  }

  /** See CallerLineage. */
  callerOf(remoteAddress: string | undefined, principal: Principal | undefined): CausingInvocation | undefined {
    return this.callers.of(remoteAddress, principal);
  }

  used(instanceId: string, memoryPeakBytes: number): void {
    if (this.gone.has(instanceId)) return;
    let traffic = this.instances.get(instanceId);
    if (traffic === undefined) {
      traffic = new InstanceTraffic(instanceId, undefined);
      this.instances.set(instanceId, traffic);
    }
    traffic.memoryPeakBytes = Math.max(traffic.memoryPeakBytes, memoryPeakBytes);
  }

  exited(exit: InstanceExit): void {
    this.gone.set(exit.instanceId, exit);
    if (this.gone.size > REMEMBERED_EXITS) {
      for (const oldest of this.gone.keys()) {
        this.gone.delete(oldest);
        break;
      }
    }
    const traffic = this.instances.get(exit.instanceId);
    if (traffic === undefined) return;
    this.instances.delete(exit.instanceId);
    this.callers.remove(traffic);
    traffic.exit = exit;
    for (const call of [...traffic.calls]) call.onInstanceExit(exit);
  }

  /** A call waits for an instance to start, whose initializer may make requests meanwhile. Call the answer when it is over. */
  starting(spec: VersionSpec, requestId: string, lineage: Lineage): () => void {
    return this.callers.starting(spec, requestId, lineage);
  }
}
