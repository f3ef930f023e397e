import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../core/base/clock.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import type { RequestConditions } from '../../core/domain/policy/decision.ts';
import type { Principal } from '../../core/domain/credentials.ts';
import type { Access } from '../../core/ports/access.ts';
import type { CallerLineage } from '../../core/ports/caller-lineage.ts';
import type { Identity } from '../../core/ports/identity.ts';
import type { BucketDetails, ObjectStore, WriteContext } from '../../core/ports/object-store.ts';
import { causedBy } from '../wire/lineage.ts';
import { authorize } from './authorize.ts';
import type { RequestBody } from './body.ts';
import { type Dialect, headerPrefix } from './dialect.ts';
import type { Permission } from './routes.ts';
import type { ObjectsRequest } from './request.ts';
import { element, type Markup, xmlDocument } from './xml.ts';

export interface ObjectsDoorOptions {
  readonly store: ObjectStore;
  readonly identity: Pick<Identity, 'findKey' | 'noteUse'>;
  readonly access: Access;
  readonly clock: Clock;
  readonly random: Random;
  readonly region: string;
  readonly logger: Logger;
  /** Finds the function that writes, whose lineage goes with the object. */
  readonly callers: CallerLineage;
  /** Hosts under which buckets are virtual hosts; default DEFAULT_BASE_HOSTS. */
  readonly baseHosts?: readonly string[];
}

/** Everything an operation needs to answer one request. */
export class Call {
  readonly options: ObjectsDoorOptions;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly request: ObjectsRequest;
  readonly dialect: Dialect;
  readonly requestId: string;
  readonly principal: Principal | undefined;
  readonly conditions: RequestConditions;
  readonly body: RequestBody;
  private readonly target: { readonly bucket: BucketDetails | undefined; readonly name: string; readonly key: string };

  constructor(parts: {
    options: ObjectsDoorOptions;
    req: IncomingMessage;
    res: ServerResponse;
    request: ObjectsRequest;
    dialect: Dialect;
    requestId: string;
    principal: Principal | undefined;
    conditions: RequestConditions;
    body: RequestBody;
    target: { bucket: BucketDetails | undefined; name: string; key: string };
  }) {
    this.options = parts.options;
    this.req = parts.req;
    this.res = parts.res;
    this.request = parts.request;
    this.dialect = parts.dialect;
    this.requestId = parts.requestId;
    this.principal = parts.principal;
    this.conditions = parts.conditions;
    this.body = parts.body;
    this.target = parts.target;
  }

  get store(): ObjectStore {
    return this.options.store;
  }

  /** Name of the bucket addressed, whether it exists or not. */
  get bucketName(): string {
    return this.target.name;
  }

  get bucket(): BucketDetails {
    if (this.target.bucket === undefined) throw new Error('this operation has no bucket');
    return this.target.bucket;
  }

  get key(): string {
    return this.target.key;
  }

  get account(): string {
    if (this.principal === undefined) throw new Error('this operation has no account');
    return this.principal.account;
  }

  /** Throws AccessDenied unless the caller, or who is said instead, may do this with an object of a bucket. */
  authorize(
    asked: {
      readonly bucket: BucketDetails;
      readonly key: string;
      readonly permission: Permission;
      readonly action: string;
    },
    principal = this.principal,
  ): void {
    const { access, region } = this.options;
    authorize({ access, region, principal, conditions: this.conditions }, asked);
  }

  /** A header of the dialect's own, e.g. `acl` for `x-oss-acl`. */
  ownHeader(name: string): string | undefined {
    return this.request.header(headerPrefix(this.dialect) + name);
  }

  /** Who writes, for the object's event. Anonymous writes count as the bucket owner's. */
  writeContext(): WriteContext {
    return {
      account: this.principal?.account ?? this.bucket.account,
      requestId: this.requestId,
      sourceIp: this.request.remoteAddress,
      lineage: causedBy(this.options.callers, this.req, this.principal, this.requestId, 'object'),
    };
  }

  /** Answers without a body. */
  empty(status: number, headers: Readonly<Record<string, string>> = {}): void {
    this.res.writeHead(status, status === 204 || status === 304 ? headers : { 'content-length': '0', ...headers });
    this.res.end();
  }

  /** Answers with a document whose root is in the dialect's namespace. */
  xml(root: string, content: readonly Markup[], headers: Readonly<Record<string, string>> = {}, status = 200): void {
    const namespace = this.dialect === 's3' ? ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"' : '';
    this.document(xmlDocument(element(root, content, namespace)), headers, status);
  }

  /** Answers with a document. */
  document(text: string, headers: Readonly<Record<string, string>> = {}, status = 200): void {
    const bytes = Buffer.from(text, 'utf8');
    this.res.writeHead(status, {
      'content-type': 'application/xml',
      'content-length': String(bytes.length),
      ...headers,
    });
    this.res.end(bytes);
  }
}

/** ISO 8601 with milliseconds, as both dialects write times in XML. */
export function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
