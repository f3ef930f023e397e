import type { InstanceAddress } from '../../core/domain/instance.ts';
import type { VersionSpec } from '../../core/domain/version-spec.ts';
import type { InstanceDialer, InstanceLink } from '../../core/ports/instance-link.ts';

/**
 * The link to an instance that is being started, dialled as soon as its address is known. What was dialled too early, or
 * for a start that failed, is closed.
 */
export class EarlyLink {
  private readonly dial: (address: InstanceAddress) => Promise<InstanceLink>;
  private early: { readonly address: InstanceAddress; readonly link: Promise<InstanceLink> } | undefined;

  constructor(dialer: InstanceDialer, spec: VersionSpec, epoch: number) {
    this.dial = (address) => dialer.dial(address, spec, epoch);
  }

  /** The address is known; told again, the first time counts. */
  placed(address: InstanceAddress): void {
    if (this.early !== undefined) return;
    const link = this.dial(address);
    link.catch(() => undefined); // the start tells, or a second attempt
    this.early = { address, link };
  }

  /** The link to the ready instance at `address`. */
  async take(address: InstanceAddress): Promise<InstanceLink> {
    const { early } = this;
    if (early === undefined) return this.dial(address);
    if (sameAddress(early.address, address)) {
      try {
        return await early.link;
      } catch {
        return this.dial(address);
      }
    }
    this.abandon();
    return this.dial(address);
  }

  /** The start failed. */
  abandon(): void {
    this.early?.link.then((link) => link.close()).catch(() => undefined);
  }
}

function sameAddress(a: InstanceAddress, b: InstanceAddress): boolean {
  if (a.kind === 'frames') return b.kind === 'frames' && a.path === b.path;
  return b.kind === 'http' && a.host === b.host && a.port === b.port;
}
