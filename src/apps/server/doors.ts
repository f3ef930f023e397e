import { createHmac } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Installation } from '../../adapters/installation-file/index.ts';
import type { Clock } from '../../core/base/clock.ts';
import { newRequestId } from '../../core/base/ids.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import type { Access } from '../../core/ports/access.ts';
import type { AsyncTasks } from '../../core/ports/async-tasks.ts';
import type { AuditLog } from '../../core/ports/audit-log.ts';
import type { BlobStore } from '../../core/ports/blob-store.ts';
import type { CallerLineage } from '../../core/ports/caller-lineage.ts';
import type { Catalog } from '../../core/ports/catalog.ts';
import type { Control } from '../../core/ports/control.ts';
import type { DeadLetters } from '../../core/ports/dead-letters.ts';
import type { Dispatch } from '../../core/ports/dispatch.ts';
import type { EventQueue } from '../../core/ports/event-queue.ts';
import type { FactLog } from '../../core/ports/fact-log.ts';
import type { FailedCalls } from '../../core/ports/failed-calls.ts';
import type { Accounts, Quotas } from '../../core/ports/accounts.ts';
import type { AccountUsage } from '../../core/ports/control.ts';
import type { Identities } from '../../core/ports/identities.ts';
import type { Identity } from '../../core/ports/identity.ts';
import type { RoleSessions } from '../../core/ports/role-sessions.ts';
import type { NodePool } from '../../core/ports/node-pool.ts';
import type { NonceJournal } from '../../core/ports/nonce-journal.ts';
import type { ObjectStore } from '../../core/ports/object-store.ts';
import type { RoleTrust } from '../../core/ports/role-trust.ts';
import type { PolicySimulation } from '../../core/ports/policy-simulation.ts';
import type { ReservedInstances } from '../../core/ports/reserved-instances.ts';
import type { Scheduling } from '../../core/ports/scheduling.ts';
import type { Sessions } from '../../core/ports/sessions.ts';
import { createAccountsDoor } from '../../doors/accounts/door.ts';
import { createFcDoor } from '../../doors/fc/door.ts';
import { createHttpDoor } from '../../doors/http/door.ts';
import { createIdentityDoor } from '../../doors/identity/door.ts';
import { createObjectsDoor } from '../../doors/objects/door.ts';
import { createOpsDoor } from '../../doors/ops/door.ts';
import { ControlRate } from '../../doors/wire/control-rate.ts';
import { createWebhooks } from '../../services/events/index.ts';
import { NotedVerifier } from './noted-verifier.ts';
import { RequestAudit } from './request-audit.ts';
import { frontDoor } from './front-door.ts';
import { openListeners } from './listeners.ts';
import { packageVersion } from './package-version.ts';
import type { ServerSettings } from './settings.ts';
import { triggerUrls } from './trigger-urls.ts';

/** Uploads and downloads that still move when everything else has ended. */
const OBJECTS_GRACE_MS = 2_000;

interface DoorParts {
  readonly installation: Installation;
  readonly control: Control;
  readonly catalog: Catalog;
  readonly dispatch: Dispatch & CallerLineage;
  readonly tasks: AsyncTasks;
  readonly letters: DeadLetters;
  readonly scheduling: Scheduling;
  readonly sessions: Sessions;
  readonly reserved: ReservedInstances;
  readonly identity: Identity;
  readonly identities: Identities;
  readonly roleSessions: RoleSessions;
  readonly accounts: Accounts;
  readonly quotas: Quotas;
  readonly usage: (account: string) => Promise<AccountUsage>;
  readonly access: Access;
  readonly roles: RoleTrust;
  readonly simulation: PolicySimulation;
  readonly blobs: BlobStore;
  readonly objects: ObjectStore;
  readonly audit: AuditLog;
  readonly facts: FactLog;
  readonly failed: FailedCalls | undefined;
  readonly nonces: NonceJournal;
  readonly queue: EventQueue;
  readonly nodes: NodePool;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface OpenDoors {
  readonly apiPort: number;
  readonly objectsPort: number;
  /** All ports of ours, those for this machine alone included. */
  readonly ports: readonly number[];
  /** Accepts no more API calls and trigger requests, lets those that run finish for `graceMs`, then cuts them. */
  drainApi(graceMs: number): Promise<void>;
  /** Closes what is still open. */
  close(): Promise<void>;
}

/**
 * Opens all doors on the inherited sockets: FC, triggers and operations on one, objects on the other. With TLS there are two more, for
 * instances and clients on this machine.
 */
export async function openDoors(settings: ServerSettings, parts: DoorParts): Promise<OpenDoors> {
  const { clock, random, installation } = parts;
  const { region } = installation;
  const scheme = settings.tls === undefined ? 'http' : 'https';
  let apiPort = 0;
  const authority = (): string => `${settings.host.includes(':') ? `[${settings.host}]` : settings.host}:${apiPort}`;
  const audit = new RequestAudit({ log: parts.audit, clock, logger: parts.logger });
  const verifier = new NotedVerifier(parts, audit);
  const access = audit.access(parts.access);
  const rate = new ControlRate(parts.quotas, clock);
  const shared = { ...parts, access, callers: parts.dispatch, verifier, rate, region };
  const fc = createFcDoor({
    ...shared,
    refused: (head, requestId, error) => audit.refused(head, requestId, error),
    execAsked: (head, requestId, error) => audit.session(head, requestId, error),
    publicUrl: () => `${scheme}://${authority()}`,
    triggerUrls: (prefix) =>
      triggerUrls({ prefix, region, scheme, authority: authority(), apiPort, domain: settings.domain }),
    linkSecret: createHmac('sha256', Buffer.from(installation.masterSecret, 'hex')).update('code-links').digest(),
  });
  const http = createHttpDoor({
    ...shared,
    webhooks: createWebhooks(shared),
    refused: (head, requestId, error) => audit.refused(head, requestId, error),
    ...(settings.domain === undefined ? {} : { baseDomain: settings.domain }),
  });
  const rights = createIdentityDoor(shared);
  const accounts = createAccountsDoor({
    ...shared,
    levels: async (account) => ({
      ...(await parts.usage(account)),
      ...(await parts.objects.usage(account)),
      ...parts.scheduling.usage(account),
    }),
  });
  const ops = createOpsDoor({ ...shared, version: packageVersion(settings.packageRoot) });
  const objects = createObjectsDoor({ ...shared, store: parts.objects });
  const newId = (): string => newRequestId(random, clock.now());
  const listeners = await openListeners(settings, {
    api: {
      handle: frontDoor(
        [
          { matches: fc.matches, handle: audit.control((req, res) => fc.handle(req, res)) },
          { matches: http.matches, handle: audit.triggers((req, res) => http.handle(req, res)) },
          ...[accounts, ops, rights].map((door) => ({
            matches: door.matches,
            handle: audit.control((req: IncomingMessage, res: ServerResponse) => door.handle(req, res)),
          })),
        ],
        { handle: audit.control((req, res) => fc.handle(req, res)) },
      ),
      plain: {
        taken: (method, target) => fc.invokes(method, target) || http.calls(method, target),
        handle: (exchange) => {
          const { method = '', url = '' } = exchange.head;
          if (http.calls(method, url)) http.call(exchange);
          else fc.invoke(exchange);
        },
      },
      upgrades: fc.exec,
    },
    objects: {
      handle: audit.objects((req, res) => objects.handle(req, res)),
      checkContinue: audit.objects((req, res) => objects.checkContinue(req, res)),
    },
    newId,
    clock,
    logger: parts.logger,
  });
  apiPort = listeners.apiPort;
  return {
    apiPort,
    objectsPort: listeners.objectsPort,
    ports: listeners.ports,
    drainApi(graceMs) {
      ops.dispose();
      return listeners.drainApi(graceMs);
    },
    async close() {
      ops.dispose();
      await listeners.close(OBJECTS_GRACE_MS);
      audit.dispose();
    },
  };
}
