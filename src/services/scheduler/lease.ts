import type { InvocationTimings } from '../../core/domain/invocation.ts';
import type { InstanceLink } from '../../core/ports/instance-link.ts';
import type { Lease } from '../../core/ports/scheduling.ts';
import type { ReleaseOutcome } from './events.ts';

/** What every warm lease reports. */
export const WARM_TIMINGS: InvocationTimings = {
  queuedMs: 0,
  sandboxMs: 0,
  runtimeMs: 0,
  codeMs: 0,
  initializerMs: 0,
  handlerMs: 0,
  cold: false,
};

export interface LeaseOwner {
  released(request: number, epoch: number, outcome: ReleaseOutcome): void;
}

export class InstanceLease implements Lease {
  readonly instanceId: string;
  readonly link: InstanceLink;
  readonly epoch: number;
  readonly timings: InvocationTimings;
  readonly startLog: string;
  readonly behind: boolean;
  private readonly owner: LeaseOwner;
  private readonly request: number;

  constructor(
    owner: LeaseOwner,
    request: number,
    instance: { readonly instanceId: string; readonly link: InstanceLink },
    epoch: number,
    timings: InvocationTimings,
    startLog: string,
    behind: boolean,
  ) {
    this.owner = owner;
    this.request = request;
    this.instanceId = instance.instanceId;
    this.link = instance.link;
    this.epoch = epoch;
    this.timings = timings;
    this.startLog = startLog;
    this.behind = behind;
  }

  release(outcome: ReleaseOutcome): void {
    this.owner.released(this.request, this.epoch, outcome);
  }
}
