import type { Clock } from '../../core/base/clock.ts';
import type { Logger } from '../../core/base/log.ts';
import type { BootSources } from './boot-sources.ts';
import type { Cgroups } from './cgroups.ts';
import type { DiskImages } from './disk-images.ts';
import type { ExitWatch } from './exit-watch.ts';
import type { Network } from './network.ts';
import type { NetworkSlots } from './network-slots.ts';
import type { OciCommand } from './oci-command.ts';
import type { SandboxRecords } from './record.ts';
import type { RootSkeletons } from './root-skeleton.ts';
import type { SeccompProfile } from './seccomp-profile.ts';

/** What every sandbox of one installation is made of; put together once by the runtime. */
export interface SandboxParts {
  readonly command: OciCommand;
  /** The OCI runtime's own state folder. */
  readonly stateDir: string;
  readonly records: SandboxRecords;
  readonly cgroups: Cgroups;
  readonly disks: DiskImages;
  readonly network: Network;
  readonly slots: NetworkSlots;
  readonly skeletons: RootSkeletons;
  readonly bootSources: BootSources;
  readonly exits: ExitWatch;
  readonly seccomp: SeccompProfile;
  readonly idBase: number;
  readonly openFiles: number;
  readonly init: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}
