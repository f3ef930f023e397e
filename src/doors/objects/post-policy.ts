import { TidemillError } from '../../core/domain/errors.ts';
import type { Principal } from '../../core/domain/credentials.ts';
import type { Identity } from '../../core/ports/identity.ts';
import { OSS_V4_ALGORITHM, parseOssCredential } from './oss-v4.ts';
import {
  checkSkew,
  findKey,
  foldKey,
  hmac,
  malformedAuthorization,
  parseCompactTime,
  requestExpired,
  sameText,
  signatureMismatch,
} from './signature.ts';
import { parseCredential, SIGV4_ALGORITHM } from './sigv4.ts';

/** Form fields by lower-case name. */
export type FormFields = ReadonlyMap<string, string>;

/** What a verified policy allows the file to be. */
export interface FormGrant {
  readonly principal: Principal;
  readonly minBytes: number;
  readonly maxBytes: number;
}

/** Verifies the signature of a form over its policy, and the policy against the form. Undefined for a form without signature. */
export function verifyForm(
  fields: FormFields,
  bucket: string,
  context: { identity: Pick<Identity, 'findKey'>; now: number; maxBytes: number },
): FormGrant | undefined {
  const policy = fields.get('policy');
  if (policy === undefined) return undefined;
  const principal = verifySignature(fields, policy, context);
  const everyField = fields.has('x-amz-algorithm');
  return { principal, ...checkPolicy(policy, fields, bucket, { ...context, everyField }) };
}

function verifySignature(
  fields: FormFields,
  policy: string,
  context: { identity: Pick<Identity, 'findKey'>; now: number },
): Principal {
  if (fields.has('x-amz-algorithm')) {
    return verifyV4(fields, policy, context, {
      prefix: 'x-amz-',
      algorithm: SIGV4_ALGORITHM,
      secret: 'AWS4',
      parse: parseCredential,
    });
  }
  if (fields.has('x-oss-signature-version')) {
    return verifyV4(fields, policy, context, {
      prefix: 'x-oss-',
      algorithm: OSS_V4_ALGORITHM,
      secret: 'aliyun_v4',
      parse: parseOssCredential,
    });
  }
  const key = findKey(context.identity, fields.get('ossaccesskeyid') ?? '', fields.get('x-oss-security-token'));
  const expected = hmac('sha1', key.secret, policy).toString('base64');
  if (!sameText(expected, fields.get('signature') ?? '')) throw signatureMismatch();
  return key.principal;
}

interface V4Scheme {
  readonly prefix: string;
  readonly algorithm: string;
  /** Put before the secret. */
  readonly secret: string;
  readonly parse: (credential: string | undefined) => { accessKeyId: string; scope: readonly string[] };
}

function verifyV4(
  fields: FormFields,
  policy: string,
  context: { identity: Pick<Identity, 'findKey'>; now: number },
  scheme: V4Scheme,
): Principal {
  const field = (name: string): string | undefined => fields.get(scheme.prefix + name);
  const named = field('algorithm') ?? field('signature-version');
  if (named !== scheme.algorithm) throw malformedAuthorization(`the form's algorithm is not ${scheme.algorithm}`);
  const signedAt = parseCompactTime(field('date'));
  if (signedAt === undefined) throw malformedAuthorization(`${scheme.prefix}date is missing or malformed`);
  // A form may be used until its policy expires: only a date in the future is wrong.
  if (signedAt > context.now) checkSkew(signedAt, context.now);
  const { accessKeyId, scope } = scheme.parse(field('credential'));
  const key = findKey(context.identity, accessKeyId, field('security-token'));
  const expected = hmac('sha256', foldKey(scheme.secret + key.secret, scope), policy).toString('hex');
  if (!sameText(expected, field('signature') ?? '')) throw signatureMismatch();
  return key.principal;
}

interface PolicyContext {
  readonly now: number;
  readonly maxBytes: number;
  /** S3: every field of the form must be under a condition. */
  readonly everyField: boolean;
}

/** Exported for its tests. Throws AccessDenied when the policy has expired or a condition does not hold. */
export function checkPolicy(
  encoded: string,
  fields: FormFields,
  bucket: string,
  context: PolicyContext,
): { minBytes: number; maxBytes: number } {
  const policy = parsePolicy(encoded);
  const expiration = Date.parse(policy.expiration);
  if (Number.isNaN(expiration)) throw new TidemillError('InvalidArgument', 'The policy has no valid expiration');
  if (context.now > expiration) throw requestExpired();
  const covered = new Set<string>();
  let size = { minBytes: 0, maxBytes: context.maxBytes };
  for (const condition of policy.conditions) {
    for (const [operator, name, operand] of normalise(condition)) {
      if (operator === 'content-length-range') {
        size = readSizes(name, operand, context.maxBytes);
        continue;
      }
      const field = String(name).replace(/^\$/, '').toLowerCase();
      covered.add(field);
      const value = field === 'bucket' ? bucket : (fields.get(field) ?? '');
      if (!holds(operator, value, operand)) {
        throw new TidemillError('AccessDenied', `The policy's condition ${JSON.stringify(condition)} does not hold`);
      }
    }
  }
  if (context.everyField) requireCovered(fields, covered);
  return size;
}

function parsePolicy(encoded: string): { expiration: string; conditions: readonly unknown[] } {
  try {
    const policy: unknown = JSON.parse(Buffer.from(encoded, 'base64').toString('utf8'));
    if (typeof policy === 'object' && policy !== null && 'expiration' in policy && 'conditions' in policy) {
      const { expiration, conditions } = policy;
      if (typeof expiration === 'string' && Array.isArray(conditions)) return { expiration, conditions };
    }
  } catch {
    // reported below
  }
  throw new TidemillError('InvalidArgument', 'The policy is not base64 of JSON with expiration and conditions');
}

function normalise(condition: unknown): readonly (readonly [string, unknown, unknown])[] {
  if (Array.isArray(condition) && condition.length === 3)
    return [[String(condition[0]).toLowerCase(), condition[1], condition[2]]];
  if (typeof condition === 'object' && condition !== null && !Array.isArray(condition)) {
    return Object.entries(condition).map(([name, value]) => ['eq', name, value] as const);
  }
  throw new TidemillError('InvalidArgument', 'A condition of the policy is neither an object nor a list of three');
}

function holds(operator: string, value: string, operand: unknown): boolean {
  if (operator === 'eq') return value === String(operand);
  if (operator === 'starts-with') return value.startsWith(String(operand));
  if (operator === 'in' || operator === 'not-in') {
    const listed = Array.isArray(operand) && operand.includes(value);
    return operator === 'in' ? listed : !listed;
  }
  throw new TidemillError('NotSupported', `The policy condition "${operator}" is not supported`);
}

function readSizes(min: unknown, max: unknown, limit: number): { minBytes: number; maxBytes: number } {
  const [minBytes, maxBytes] = [Number(min), Number(max)];
  if (Number.isSafeInteger(minBytes) && Number.isSafeInteger(maxBytes))
    return { minBytes, maxBytes: Math.min(maxBytes, limit) };
  throw new TidemillError('InvalidArgument', 'content-length-range of the policy needs two integers');
}

function requireCovered(fields: FormFields, covered: ReadonlySet<string>): void {
  const free = ['policy', 'x-amz-signature', 'file'];
  for (const name of fields.keys()) {
    if (covered.has(name) || free.includes(name) || name.startsWith('x-ignore-')) continue;
    throw new TidemillError('AccessDenied', `The form field ${name} is not under a condition of the policy`);
  }
}
