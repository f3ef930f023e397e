import type { IncomingMessage } from 'node:http';
import { objectArn } from '../../core/domain/arn.ts';
import type { Principal } from '../../core/domain/credentials.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { RequestConditions } from '../../core/domain/policy/decision.ts';
import type { Access } from '../../core/ports/access.ts';
import type { BucketAcl, BucketDetails } from '../../core/ports/object-store.ts';
import { HttpConditions } from '../wire/request-conditions.ts';
import type { ObjectsRequest } from './request.ts';
import type { Permission } from './routes.ts';

/** Who asks, and with what circumstances. */
interface Asking {
  readonly access: Access;
  readonly region: string;
  /** Undefined: anonymous. */
  readonly principal: Principal | undefined;
  readonly conditions: RequestConditions;
}

/**
 * Policies and bucket ACL together, as OSS has it: what a policy denies explicitly is denied, what one allows is allowed; where
 * policies are silent, and for strangers and anonymous callers, the ACL says whether the bucket is open to everybody.
 * Throws AccessDenied otherwise.
 */
export function authorize(
  { access, region, principal, conditions }: Asking,
  asked: {
    readonly bucket: BucketDetails;
    readonly key: string | undefined;
    readonly permission: Permission;
    readonly action: string;
  },
): void {
  const { bucket, key, permission, action } = asked;
  const isOpen = opens(bucket.acl, permission);
  if (principal === undefined) {
    if (isOpen) return;
    throw new TidemillError('AccessDenied', `Anonymous callers may not do this with the bucket "${bucket.name}"`);
  }
  const resource = objectArn(region, bucket.account, bucket.name, key);
  if (isOpen && access.decide(principal, action, resource, conditions).effect !== 'explicit-deny') return;
  access.check(principal, action, resource, conditions);
}

function opens(acl: BucketAcl, permission: Permission): boolean {
  return (permission === 'read' && acl !== 'private') || (permission === 'write' && acl === 'public-read-write');
}

/** Throws AccessDenied when the caller thinks the bucket to be somebody else's. */
export function checkExpectedOwner(bucket: BucketDetails, expectedOwner: string | undefined): void {
  if (expectedOwner === undefined || expectedOwner === bucket.account) return;
  throw new TidemillError('AccessDenied', 'The bucket does not belong to the expected owner');
}

/** What policies may ask about the request. Listings have a prefix and a delimiter, be they empty. */
export function conditionsOf(req: IncomingMessage, request: ObjectsRequest, action: string): RequestConditions {
  if (action !== 'oss:ListObjects') return new HttpConditions(req);
  const of = (name: string): string => request.param(name) ?? '';
  return new HttpConditions(
    req,
    new Map([
      ['oss:prefix', of('prefix')],
      ['oss:delimiter', of('delimiter')],
    ]),
  );
}
