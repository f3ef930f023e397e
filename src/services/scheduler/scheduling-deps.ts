import type { Clock } from '../../core/base/clock.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import type { Catalog } from '../../core/ports/catalog.ts';
import type { FactLog } from '../../core/ports/fact-log.ts';
import type { Identity } from '../../core/ports/identity.ts';
import type { InstanceDialer } from '../../core/ports/instance-link.ts';
import type { Quotas } from '../../core/ports/accounts.ts';
import type { NodePool } from '../../core/ports/node-pool.ts';
import type { SchedulerSettings } from './settings.ts';

/** What the scheduling loop reaches the world through. */
export interface SchedulingDeps {
  readonly pool: NodePool;
  readonly dialer: InstanceDialer;
  readonly identity: Pick<Identity, 'credentialsFor'>;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly random: Random;
  /** Of this server process: higher than that of every one before. */
  readonly epoch: number;
  readonly facts: FactLog;
  /** Overrides of the scheduler's settings, e.g. `instancesPerAccount`. */
  readonly limits: Partial<SchedulerSettings>;
  /** Whose numbers `limits.boundsOf` gives. */
  readonly quotas: Pick<Quotas, 'onChange'>;
  readonly logger: Logger;
}
