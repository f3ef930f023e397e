import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock, systemRandom } from '../../../src/adapters/clock-system/index.ts';
import { openObjectStore } from '../../../src/adapters/objects-fs/store.ts';
import { silentLogger } from '../../../src/core/base/log.ts';
import { functionPrincipal, rootPrincipal } from '../../../src/core/domain/credentials.ts';
import type { Identity, KnownKey } from '../../../src/core/ports/identity.ts';
import { AccessDecisions } from '../../../src/services/access/index.ts';
import { builtin } from '../door-world.ts';
import { createObjectsDoor } from '../../../src/doors/objects/door.ts';

/**
 * An objects endpoint in a process of its own, with its store in the folder given: the conformance tests drive it, and the
 * memory test measures it. Sends `{port, keys}` once it serves, answers every message with its memory, ends with its parent.
 */
const ACCOUNT = '1234567890123456';
const keys = {
  root: { id: 'tidemill-root', secret: 'root-secret/with+signs=' },
  temporary: { id: 'STS.temporary', secret: 'temporary-secret', token: 'token/with+signs=' },
  stranger: { id: 'stranger', secret: 'strangers-secret' },
};

const known = new Map<string, KnownKey & { token?: string }>([
  [keys.root.id, { secret: keys.root.secret, principal: rootPrincipal(ACCOUNT) }],
  [keys.stranger.id, { secret: keys.stranger.secret, principal: rootPrincipal('9999999999999999') }],
  [
    keys.temporary.id,
    {
      secret: keys.temporary.secret,
      token: keys.temporary.token,
      principal: functionPrincipal(ACCOUNT, `acs:fc:local:${ACCOUNT}:functions/f`),
    },
  ],
]);

const identity: Identity = {
  findKey(id, token) {
    const key = known.get(id);
    return key?.token === token ? key : undefined;
  },
  noteUse() {},
  credentialsFor() {
    throw new Error('the objects door issues no credentials');
  },
};

const store = await openObjectStore({ dir: process.argv[2] ?? '', clock: systemClock, random: systemRandom });
const door = createObjectsDoor({
  store,
  identity,
  access: new AccessDecisions(builtin, systemClock),
  clock: systemClock,
  random: systemRandom,
  region: 'local',
  logger: silentLogger,
  callers: {
    callerOf: (_address, principal) =>
      principal?.kind === 'function'
        ? { functionName: 'f', requestId: 'w', lineage: { hops: 0, rootRequestId: 'root' } }
        : undefined,
  },
});
const server = createServer().on('request', door.handle).on('checkContinue', door.checkContinue);
server.listen(0, '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port, keys });
});

let peak = 0;
const sampler = setInterval(() => {
  peak = Math.max(peak, process.memoryUsage().rss);
}, 10);
process.on('message', () => {
  process.send?.({ rss: process.memoryUsage().rss, peak });
  peak = 0;
});
process.on('disconnect', () => {
  clearInterval(sampler);
  server.closeAllConnections();
  server.close(() => void store.close());
});
