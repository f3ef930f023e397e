import { join } from 'node:path';
import { createHmac } from 'node:crypto';
import { openAuditLog } from '../../adapters/audit-files/index.ts';
import { openBlobStore } from '../../adapters/blobs-fs/index.ts';
import { systemRandom } from '../../adapters/clock-system/index.ts';
import { openFactLog } from '../../adapters/facts-sqlite/index.ts';
import { openFailedCalls, removeFailedCalls } from '../../adapters/failures-fs/index.ts';
import { readInstallation } from '../../adapters/installation-file/index.ts';
import { AgentNodes } from '../../adapters/nodes-socket/agent-nodes.ts';
import { openNonceJournal } from '../../adapters/nonces-fs/index.ts';
import { peerSecret } from '../../adapters/nodes-socket/peer-proof.ts';
import { openObjectStore } from '../../adapters/objects-fs/store.ts';
import { sealQueue } from '../../adapters/queue-sealed/index.ts';
import { openEventQueue } from '../../adapters/queue-sqlite/index.ts';
import { findLocalRuntimes } from '../../adapters/runtimes-local/index.ts';
import { openMetadataStore } from '../../adapters/store-sqlite/index.ts';
import { createWebhookSender } from '../../adapters/webhook-http/index.ts';
import type { Clock } from '../../core/base/clock.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Vault } from '../../core/ports/vault.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { EventQueue } from '../../core/ports/event-queue.ts';
import type { FailedCalls } from '../../core/ports/failed-calls.ts';
import { createControl } from '../../services/control/control.ts';
import { createDispatch } from '../../services/dispatch/index.ts';
import { createEventSources } from '../../services/events/index.ts';
import { createSessions } from '../../services/scheduler/sessions.ts';
import { createReservedInstances, createScheduling, ServingCatalog } from '../../services/scheduler/index.ts';
import { abortRunningCalls } from './abort-requests.ts';
import { nextEpoch } from './epoch.ts';
import { openKeys } from './keys.ts';
import { instanceDialer } from './instance-dialer.ts';
import { openDoors } from './doors.ts';
import { expectTimers } from './expect-timers.ts';
import { forgetDeleted } from './forget-deleted.ts';
import { openRights } from './rights.ts';
import { prepareDeployed } from './prepare-deployed.ts';
import type { ServerSettings } from './settings.ts';
import { schedulerLimits } from './tuning.ts';

export interface ServerProcess {
  readonly apiPort: number;
  readonly objectsPort: number;
  /**
   * Begins nothing new and lets what runs finish, for at most `graceMs`. Objects stay reachable, for the running calls and
   * for the hooks of instances that end. Asked again, the same.
   */
  finish(graceMs: number): Promise<void>;
  /** Lets go of everything: what did not finish is cut off, what is buffered is written, the stores are closed. */
  close(): Promise<void>;
}

/** What a server is given by whoever composes it. */
export interface ServerParts {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Stands before the queue: a measurement puts another one there. */
  readonly throughQueue?: (queue: EventQueue) => EventQueue;
}

/** How long a life-cycle request waits for an agent that is being restarted. */
const AGENT_PATIENCE_MS = 30_000;

/** Wires one server: adapters to ports, services to ports, doors to services. The only place that knows all of them. */
export async function startServer(settings: ServerSettings, parts: ServerParts): Promise<ServerProcess> {
  const { clock, logger } = parts;
  const random = systemRandom;
  const installation = readInstallation(settings.data);
  const { region } = installation;
  const at = (name: string): string => join(settings.data, name);

  const keys = await openKeys(settings, logger);
  const { vault } = keys;
  const store = await openMetadataStore({ path: at('meta.db'), clock, vault });
  const epoch = await nextEpoch(store);
  const [opened, facts, blobs, objects] = await Promise.all([
    openEventQueue({ path: at('queue.db'), clock, rememberMs: LIMITS.asyncTaskKeptSeconds * 1000 }),
    openFactLog({ path: at('facts.db'), clock, log: logger }),
    openBlobStore({ dir: at('blobs'), vault }),
    openObjectStore({ dir: at('objects'), clock, random, quotasOf: (account) => quotas.of(account) }),
  ]);
  const audit = await openAuditLog({
    dir: at('audit'),
    secret: createHmac('sha256', Buffer.from(installation.masterSecret, 'hex')).update('audit log').digest(),
    keptBytes: LIMITS.auditKeptBytes,
  });
  const queue = sealQueue(parts.throughQueue?.(opened) ?? opened, vault);
  const failed = await failedCallsOf(settings, { clock, logger, vault });
  const windowSeconds = LIMITS.signatureSkewSeconds;
  const nonces = await openNonceJournal({ dir: at('nonces'), windowSeconds, clock, logger });
  const rights = await openRights({
    ...{ installation, tuning: settings.tuning, store, clock, random, logger },
    contents: () => ({ usage, objects }),
  });
  const { access, identity, identities, roleSessions, accounts, quotas, states } = rights;
  const { control, catalog, reservedConfigs, usage, close } = await createControl({
    store,
    blobs,
    objects,
    clock,
    random,
    region,
    quotas,
    runtimes: findLocalRuntimes(settings.packageRoot).available(),
  });
  const pool = new AgentNodes({
    path: join(settings.runDir, 'agent.sock'),
    epoch,
    patienceMs: AGENT_PATIENCE_MS,
    secret: peerSecret(Buffer.from(installation.masterSecret, 'hex')),
    clock,
    random,
    log: logger,
  });
  const dialer = instanceDialer({ clock, region });
  const scheduling = createScheduling({
    pool,
    dialer,
    identity,
    catalog,
    clock,
    random,
    epoch,
    facts,
    limits: { ...schedulerLimits(settings.tuning), boundsOf: (account) => quotas.of(account) },
    quotas,
    logger,
  });
  const serving = new ServingCatalog(catalog);
  const reserved = createReservedInstances({
    configs: reservedConfigs,
    catalog,
    serving,
    capacity: scheduling.reserved,
    pool,
    clock,
    logger,
  });
  const sessions = createSessions({ scheduling, store, catalog, pool, clock, random, logger });
  let ports: readonly number[] = [];
  const webhooks = createWebhookSender({ allow: settings.webhooks.allow, ownPorts: () => ports });
  const dispatch = createDispatch({
    catalog: serving,
    scheduling,
    sessions,
    queue,
    facts,
    identity,
    states,
    pool,
    objects,
    webhooks,
    failed,
    clock,
    random,
    region,
    loopLimits: settings.loopLimits,
    logger,
  });
  const events = createEventSources({
    catalog,
    access,
    dispatch,
    objects,
    store,
    clock,
    random,
    log: logger,
    region,
    expect: expectTimers({
      catalog,
      forecast: scheduling,
      onError: (error) => logger.log('info', 'a timer could not be prepared for', { error: String(error) }),
    }),
  });

  const aborts = abortRunningCalls({
    control,
    scheduling,
    pool,
    onError: (error) => logger.log('warn', 'a running call could not be aborted', { error: String(error) }),
  });
  const preparing = prepareDeployed({
    catalog,
    pool,
    onError: (error) => logger.log('info', 'code could not be made ready ahead', { error: String(error) }),
  });
  const forgetting =
    failed === undefined
      ? undefined
      : forgetDeleted({
          catalog,
          failed,
          onError: (error) => logger.log('warn', 'a deleted function was not forgotten', { error: String(error) }),
        });
  await scheduling.start(); // first adopts what runs: a call that came earlier would start instances beside them
  await reserved.start();
  await sessions.start();
  await dispatch.start(); // what runs unseen for an event that was taken over leaves before callers can meet it
  const doors = await openDoors(settings, {
    installation,
    control,
    catalog,
    dispatch,
    tasks: dispatch.tasks,
    letters: dispatch.letters,
    scheduling,
    sessions,
    reserved,
    identity,
    access,
    roles: rights.roles,
    simulation: rights.simulation,
    identities,
    roleSessions,
    accounts,
    quotas,
    usage,
    blobs,
    objects,
    audit,
    facts,
    failed,
    nonces,
    queue,
    nodes: pool,
    clock,
    random,
    logger,
  });
  ports = doors.ports;
  await events.start();
  let finishing: Promise<void> | undefined;
  logger.log('info', 'serving', { epoch, port: doors.apiPort, objectsPort: doors.objectsPort });

  return {
    apiPort: doors.apiPort,
    objectsPort: doors.objectsPort,
    finish(graceMs) {
      finishing ??= within(clock, graceMs, async () => {
        // from the outside in: nothing new, then what runs finishes, then its leases go back
        aborts.dispose();
        preparing.dispose();
        await events.stop();
        await doors.drainApi(graceMs);
        await dispatch.drain();
        sessions.close();
        reserved.dispose();
        await scheduling.drain();
      });
      return finishing;
    },
    async close() {
      await doors.close();
      sessions.close();
      reserved.dispose();
      await dispatch.close();
      webhooks.close();
      await scheduling.close();
      await pool.close();
      forgetting?.dispose();
      close();
      await rights.close();
      const stores = [store.close(), queue.close(), facts.close(), objects.close()];
      await Promise.all([failed?.close(), nonces.close(), ...stores]);
      await audit.close();
      await keys.close();
    },
  };
}

/** Where failed calls leave what they were given; an operator who does not want that finds nothing of it any more. */
async function failedCallsOf(
  settings: ServerSettings,
  parts: { readonly clock: Clock; readonly logger: Logger; readonly vault: Vault },
): Promise<FailedCalls | undefined> {
  const dir = join(settings.data, 'failed');
  const bounds = settings.failedCalls;
  if (bounds !== undefined) return openFailedCalls({ dir, bounds, ...parts });
  await removeFailedCalls(dir);
  return undefined;
}

/** Resolves when the work is done, or after `limitMs` whatever has become of it. */
async function within(clock: Clock, limitMs: number, work: () => Promise<void>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = clock.after(limitMs, late.resolve);
  await Promise.race([work(), late.promise]);
  timer.dispose();
}
