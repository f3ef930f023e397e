import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../src/core/base/clock.ts';
import { silentLogger } from '../../src/core/base/log.ts';
import type { Random } from '../../src/core/base/random.ts';
import { functionPrincipal, rootPrincipal } from '../../src/core/domain/credentials.ts';
import { defaultConfig } from '../../src/core/domain/function-defaults.ts';
import type { InvokeAnswer, Target } from '../../src/core/ports/dispatch.ts';
import type { CallerLineage } from '../../src/core/ports/caller-lineage.ts';
import type { Identity } from '../../src/core/ports/identity.ts';
import type { PrincipalPolicies } from '../../src/core/ports/principal-policies.ts';
import { AccessDecisions, DEFAULT_OF_FUNCTIONS } from '../../src/services/access/index.ts';
import { STANDARD_QUOTAS } from '../../src/core/domain/quota.ts';
import { Acs3Verifier } from '../../src/doors/wire/acs3-verifier.ts';
import { ControlRate } from '../../src/doors/wire/control-rate.ts';

/** What door tests share: a port whose missing methods fail loudly, keys, a clock, and a server around one handler. */
export const ACCOUNT = '1234567890123456';
export const ROOT = rootPrincipal(ACCOUNT);

export const FUNCTION = functionPrincipal(ACCOUNT, `acs:fc:local:${ACCOUNT}:functions/f`);

/** An implementation of a port with only the methods a test needs; calling another one rejects by name. */
export function partial<T extends object>(name: string, methods: Partial<T>): T {
  return new Proxy(methods, {
    get: (target, property) =>
      Reflect.get(target, property) ??
      (() => Promise.reject(new Error(`${name}.${String(property)} was not expected`))),
  }) as T;
}

export const random: Random = { bytes: (count) => randomBytes(count), float: () => 0.5 };

export function clockAt(now: () => number): Clock {
  return { now, monotonic: () => performance.now(), after: () => ({ dispose() {} }) };
}

export const identity: Identity = partial<Identity>('identity', {
  findKey: (id, token) => {
    if (id === 'AKTEST' && token === undefined) return { secret: 'SKTEST', principal: ROOT };
    if (id === 'AKOTHER') return { secret: 'SKTEST', principal: rootPrincipal('9999999999999999') };
    if (id === 'STS.1' && token === 'TOKEN') return { secret: 'SKSTS', principal: FUNCTION };
    return undefined;
  },
  noteUse() {},
});

/** An account without users and roles. */
export const builtin: PrincipalPolicies = {
  policiesOf: ({ kind }) => (kind === 'function' ? [DEFAULT_OF_FUNCTIONS] : []),
  onChange: () => ({ dispose() {} }),
};

export function doorBasics(now: () => number = Date.now) {
  const clock = clockAt(now);
  const callers: CallerLineage = { callerOf: () => undefined };
  return {
    clock,
    random,
    callers,
    roles: { trustOf: () => undefined },
    access: new AccessDecisions(builtin, clock),
    logger: silentLogger,
    region: 'local',
    verifier: new Acs3Verifier({ identity, clock }),
    rate: new ControlRate({ of: () => STANDARD_QUOTAS }, clock),
  };
}

const CONFIG = defaultConfig('nodejs20', 'index.handler');

export function targetOf(runtime: string, versionId = 'LATEST'): Target {
  return {
    qualifier: versionId,
    spec: {
      key: `${ACCOUNT}/f/${versionId}@1`,
      account: ACCOUNT,
      functionName: 'f',
      functionArn: `acs:fc:local:${ACCOUNT}:functions/f`,
      versionId,
      config: { ...CONFIG, runtime },
      code: { owner: '1234567890123456', digest: 'd'.repeat(64), checksum: '42', size: 10 },
      layers: [],
    },
  };
}

export function answerOf(payload: InvokeAnswer['payload'], rest: Partial<InvokeAnswer> = {}): InvokeAnswer {
  return {
    instanceId: 'c-1-2-3',
    errorType: undefined,
    payload,
    durationMs: 12.4,
    maxMemoryMb: 30.987,
    timings: { queuedMs: 0, sandboxMs: 0, runtimeMs: 0, codeMs: 0, initializerMs: 0, handlerMs: 12, cold: false },
    ...rest,
  };
}

export { CONFIG };

export interface TestServer {
  readonly url: string;
  readonly host: string;
  close(): Promise<void>;
}

export async function serve(handle: (req: IncomingMessage, res: ServerResponse) => void): Promise<TestServer> {
  const server = createServer({ maxHeaderSize: 64 * 1024 }, handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `http://${host}`,
    host,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
