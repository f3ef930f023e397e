import type { FunctionConfig } from '../../src/core/domain/function.ts';
import { defaultConfig } from '../../src/core/domain/function-defaults.ts';
import type { VersionSpec } from '../../src/core/domain/version-spec.ts';

/** A version for tests that need one but do not look at it much. */
export function versionSpec(runtime: string, config: Partial<FunctionConfig> = {}): VersionSpec {
  const code = { owner: '1234567890123456', digest: '0'.repeat(64), checksum: '0', size: 0 };
  return {
    key: '1234567890123456/hello/7@1',
    account: '1234567890123456',
    functionName: 'hello',
    functionArn: 'acs:fc:local:1234567890123456:functions/hello/7',
    versionId: '7',
    config: { ...defaultConfig(runtime, 'index.handler'), cpu: 1, ...config },
    code,
    layers: [],
  };
}
