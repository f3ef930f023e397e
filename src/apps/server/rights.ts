import type { Installation } from '../../adapters/installation-file/index.ts';
import type { Clock } from '../../core/base/clock.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import { STANDARD_QUOTAS } from '../../core/domain/quota.ts';
import type { AccountUsage } from '../../core/ports/control.ts';
import type { MetadataStore } from '../../core/ports/metadata-store.ts';
import type { ObjectStore } from '../../core/ports/object-store.ts';
import { createAccess } from '../../services/access/index.ts';
import type { SchedulerTuning } from './tuning.ts';

/** What is asked before an account is deleted. */
export interface AccountContents {
  readonly usage: (account: string) => Promise<AccountUsage>;
  readonly objects: Pick<ObjectStore, 'listBuckets'>;
}

/** Accounts, identities and decisions of this installation; what the operator tuned is the standard quota of every account. */
export function openRights(parts: {
  readonly installation: Installation;
  readonly tuning: SchedulerTuning;
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly contents: () => AccountContents;
}): ReturnType<typeof createAccess> {
  const { installation, tuning, store, clock, random, logger } = parts;
  return createAccess({
    store,
    clock,
    random,
    logger,
    rootKey: {
      account: installation.accountId,
      accessKeyId: installation.accessKeyId,
      accessKeySecret: installation.accessKeySecret,
    },
    masterSecret: Buffer.from(installation.masterSecret, 'hex'),
    standardQuotas: { ...STANDARD_QUOTAS, instances: tuning.instancesPerAccount, calls: tuning.callsPerAccount },
    contents: (account) => contentsOf(parts.contents(), account),
  });
}

async function contentsOf({ usage, objects }: AccountContents, account: string): Promise<readonly string[]> {
  const { functions, codeBytes } = await usage(account);
  const buckets = await objects.listBuckets(account, { prefix: '', after: '', limit: 10 });
  return [
    ...(functions > 0 ? [`${functions} functions`] : []),
    ...(functions === 0 && codeBytes > 0 ? ['layers'] : []),
    ...buckets.map((bucket) => `the bucket ${bucket.name}`),
  ];
}
