import { silentLogger } from '../../../src/core/base/log.ts';
import { STANDARD_QUOTAS } from '../../../src/core/domain/quota.ts';
import { type AccessOptions, type AccessService, createAccess } from '../../../src/services/access/create-access.ts';
import { ACCOUNT, MemoryStore, TestClock, TestRandom } from '../control/memory-world.ts';

export { ACCOUNT };
export const FUNCTION_ARN = `acs:fc:local:${ACCOUNT}:functions/f`;
export const HOUR = 3_600_000;
export const TRUSTS_FUNCTIONS = trust({ Service: ['fc.aliyuncs.com'] });

/** Timers never fire: what they would write is written at the end. */
class StillClock extends TestClock {
  override after(): { dispose(): void } {
    return { dispose() {} };
  }
}

/** The access service over a store in memory; `restart` opens another one on the same store. */
export class AccessWorld {
  readonly clock = new StillClock();
  readonly random = new TestRandom();
  readonly store = new MemoryStore();
  contents: readonly string[] = [];

  open(change: Partial<AccessOptions> = {}): Promise<AccessService> {
    return createAccess({
      store: this.store,
      clock: this.clock,
      random: this.random,
      logger: silentLogger,
      rootKey: { account: ACCOUNT, accessKeyId: 'AK', accessKeySecret: 'SK' },
      masterSecret: Buffer.alloc(32, 'm'),
      standardQuotas: STANDARD_QUOTAS,
      contents: async () => this.contents,
      ...change,
    });
  }
}

export function trust(principal: Readonly<Record<string, readonly string[]>>): string {
  const statement = { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: principal };
  return JSON.stringify({ Version: '1', Statement: [statement] });
}

export function allow(actions: readonly string[], resource = '*'): string {
  const statement = { Effect: 'Allow', Action: actions, Resource: resource };
  return JSON.stringify({ Version: '1', Statement: [statement] });
}
