import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openObjectStore } from '../../src/adapters/objects-fs/store.ts';
import type { Clock } from '../../src/core/base/clock.ts';
import { silentLogger } from '../../src/core/base/log.ts';
import type { Identity, KnownKey } from '../../src/core/ports/identity.ts';
import type { ObjectStore } from '../../src/core/ports/object-store.ts';
import { createObjectsDoor } from '../../src/doors/objects/door.ts';

export const ACCOUNT = '1234567890123456';
export const ROOT = { id: 'tidemill-root', secret: 'root-secret/with+signs=' };
/** Temporary credentials as an instance would hold them. */
export const TEMPORARY = { id: 'STS.temporary', secret: 'temporary-secret', token: 'token/with+signs=' };
export const STRANGER = { id: 'stranger', secret: 'strangers-secret' };

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs).unref();
    return { dispose: () => clearTimeout(timer) };
  },
};

const KEYS: Readonly<Record<string, { token?: string; known: KnownKey }>> = {
  [ROOT.id]: { known: { secret: ROOT.secret, principal: { account: ACCOUNT, kind: 'root' } } },
  [TEMPORARY.id]: {
    token: TEMPORARY.token,
    known: {
      secret: TEMPORARY.secret,
      principal: { account: ACCOUNT, kind: 'function', functionArn: `acs:fc:local:${ACCOUNT}:functions/f` },
    },
  },
  [STRANGER.id]: { known: { secret: STRANGER.secret, principal: { account: '9999999999999999', kind: 'root' } } },
};

const identity: Identity = {
  findKey(id, token) {
    const key = Object.hasOwn(KEYS, id) ? KEYS[id] : undefined;
    return key?.token === token ? key?.known : undefined;
  },
  credentialsFor() {
    throw new Error('the objects door issues no credentials');
  },
};

/** A door with a store in a temporary folder, on a free port. `lag` moves the server's clock, milliseconds. */
export async function startInProcess(options: { lag?: number } = {}): Promise<{
  endpoint: string;
  store: ObjectStore;
  stop: () => Promise<void>;
}> {
  const dir = await mkdtemp(join(tmpdir(), 'tidemill-objects-'));
  const random = { bytes: (count: number) => randomBytes(count), float: () => Math.random() };
  const clock = { ...systemClock, now: () => Date.now() + (options.lag ?? 0) };
  const store: ObjectStore & { close(): Promise<void> } = await openObjectStore({ dir, clock, random });
  const door = createObjectsDoor({
    store,
    identity,
    clock,
    random,
    region: 'local',
    logger: silentLogger,
    lineageOf: (principal) => (principal?.kind === 'function' ? { hops: 1, rootRequestId: 'root' } : undefined),
  });
  const server = createServer();
  server.on('request', door.handle);
  server.on('checkContinue', door.checkContinue);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    store,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await store.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
