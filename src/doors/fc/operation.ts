import type { Clock } from '../../core/base/clock.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import type { TidemillError } from '../../core/domain/errors.ts';
import type { Lineage } from '../../core/domain/lineage.ts';
import type { Access } from '../../core/ports/access.ts';
import type { AsyncTasks } from '../../core/ports/async-tasks.ts';
import type { BlobStore } from '../../core/ports/blob-store.ts';
import type { CallerLineage } from '../../core/ports/caller-lineage.ts';
import type { FactLog } from '../../core/ports/fact-log.ts';
import type { Control, Input } from '../../core/ports/control.ts';
import type { Dispatch } from '../../core/ports/dispatch.ts';
import type { NodePool } from '../../core/ports/node-pool.ts';
import type { RoleTrust } from '../../core/ports/role-trust.ts';
import type { ReservedInstances } from '../../core/ports/reserved-instances.ts';
import type { Scheduling } from '../../core/ports/scheduling.ts';
import type { Sessions } from '../../core/ports/sessions.ts';
import type { Acs3Verifier } from '../wire/acs3-verifier.ts';
import type { FunctionArns } from '../wire/function-arns.ts';
import type { RequestHead } from '../wire/exchange.ts';
import type { ControlRate } from '../wire/control-rate.ts';
import type { Query } from '../wire/query.ts';
import type { CodeLinks } from './code-links.ts';

/** What the FC door needs from the rest of the house. */
export interface FcDoorDeps {
  readonly control: Control;
  readonly dispatch: Dispatch;
  readonly callers: CallerLineage;
  readonly tasks: AsyncTasks;
  readonly scheduling: Scheduling;
  readonly sessions: Sessions;
  readonly reserved: ReservedInstances;
  readonly nodes: Pick<NodePool, 'exec'>;
  readonly blobs: BlobStore;
  readonly facts: FactLog;
  readonly verifier: Acs3Verifier;
  readonly access: Access;
  readonly roles: RoleTrust;
  readonly rate: ControlRate;
  /** Told of every call that was refused before `node:http` saw it. */
  readonly refused?: (head: RequestHead, requestId: string, error: TidemillError) => void;
  /** Told of every request for a session, before the client is; `error` says why there is none. What runs waits until it resolves. */
  readonly execAsked?: (head: RequestHead, requestId: string, error: TidemillError | undefined) => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly region: string;
  /** Where clients reach this server, e.g. `http://127.0.0.1:9000`, without trailing slash; read per request, so port 0 works. */
  readonly publicUrl: () => string;
  /** URLs of an HTTP trigger, from its domain prefix (FC reference 6.2). */
  readonly triggerUrls: (domainPrefix: string) => { readonly internet: string; readonly intranet: string };
  /** Key of the expiring code download links; servers that share a data folder share it. */
  readonly linkSecret: Uint8Array;
}

export type OperationContext = FcDoorDeps & { readonly links: CodeLinks; readonly names: FunctionArns };

export interface OperationRequest {
  readonly account: string;
  readonly requestId: string;
  readonly params: Readonly<Record<string, string | undefined>>;
  readonly query: Query;
  readonly body: Input;
  /** Of the function that asks for it; undefined: asked for from outside. */
  readonly lineage: Lineage | undefined;
}

/** One operation of FC reference section 1: how it travels, and the command it becomes. */
export interface Operation {
  /** The vendor's name, e.g. `CreateFunction`. */
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below `/2023-03-30`, in the router's notation. */
  readonly path: string;
  /** Query parameters it takes; any other is refused by name. `any`: for operations that are refused as a whole. */
  readonly query?: readonly string[] | 'any';
  /** Whether it takes a JSON body. Default: none. */
  readonly body?: 'json' | 'any';
  /** The JSON answer; undefined answers 204 without a body. */
  run(context: OperationContext, request: OperationRequest): Promise<unknown>;
}

/** A path parameter that the route guarantees. */
export function param(request: OperationRequest, name: string): string {
  return request.params[name] ?? '';
}

/** The paging members of a query, for control. */
export function paging(query: Query): {
  prefix?: string | undefined;
  limit?: string | undefined;
  nextToken?: string | undefined;
} {
  return { prefix: query['prefix'], limit: query['limit'], nextToken: query['nextToken'] };
}

/** A page in the field's form: `nextToken` is absent on the last one (FC reference 2.5). */
export function pageAnswer<T>(
  name: string,
  page: { readonly items: readonly T[]; readonly nextToken?: string },
  shape: (item: T) => unknown,
): Record<string, unknown> {
  const answer: Record<string, unknown> = { [name]: page.items.map(shape) };
  if (page.nextToken !== undefined) answer['nextToken'] = page.nextToken;
  return answer;
}
