import type { TemporaryCredentials } from '../../core/domain/credentials.ts';
import type { VersionSpec } from '../../core/domain/version-spec.ts';

/** Names, values, names, ... as undici takes them. */
export type FlatHeaders = string[];

export type ControlPath = '/invoke' | '/http-invoke' | '/initialize' | '/pre-stop';

/** What distinguishes one request to an instance from the next. */
export interface RequestIdentity {
  readonly requestId: string;
  readonly qualifier: string;
  readonly retryCount: number;
  readonly credentials: Omit<TemporaryCredentials, 'expiresAt'> | undefined;
}

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** The `x-fc-*` headers that an instance of a custom runtime receives (FC reference 4.5). */
export class InstanceHeaders {
  private readonly fixed: FlatHeaders;
  private readonly withCredentials: boolean;

  constructor(spec: VersionSpec, region: string) {
    const { config } = spec;
    this.fixed = fixedHeaders(spec, region);
    this.withCredentials = config.disableInjectCredentials !== 'Request' && config.disableInjectCredentials !== 'All';
  }

  /** A new list, to which the caller may add. */
  of(path: ControlPath, identity: RequestIdentity): FlatHeaders {
    const headers = [...this.fixed];
    headers.push('x-fc-control-path', path, 'x-fc-request-id', identity.requestId);
    headers.push('x-fc-qualifier', identity.qualifier, 'x-fc-retry-count', String(identity.retryCount));
    const { credentials } = identity;
    if (credentials === undefined || !this.withCredentials) return headers;
    headers.push('x-fc-access-key-id', credentials.accessKeyId);
    headers.push('x-fc-access-key-secret', credentials.accessKeySecret);
    // FC leaves the token out from custom.debian11 on. Here the key would be of no use without it, and the environment's ends first.
    headers.push('x-fc-security-token', credentials.securityToken);
    return headers;
  }
}

function fixedHeaders(spec: VersionSpec, region: string): FlatHeaders {
  const { config } = spec;
  const headers: FlatHeaders = [
    'x-fc-function-name',
    spec.functionName,
    'x-fc-function-handler',
    config.handler,
    'x-fc-function-memory',
    String(config.memorySize),
    'x-fc-function-timeout',
    String(config.timeout),
    'x-fc-region',
    region,
    'x-fc-account-id',
    spec.account,
    'x-fc-version-id',
    spec.versionId,
  ];
  if (config.initializer !== undefined && config.initializer.handler !== '') {
    headers.push('x-fc-function-initializer', config.initializer.handler);
    headers.push('x-fc-initialization-timeout', String(config.initializer.timeout));
  }
  if (config.logConfig !== undefined) {
    headers.push('x-fc-service-logproject', config.logConfig.project);
    headers.push('x-fc-service-logstore', config.logConfig.logstore);
  }
  return headers;
}

/**
 * A client's headers as the instance may see them: without hop-by-hop headers (also those that `Connection` names) and
 * without anything the platform itself says by `x-fc-*`.
 */
export function forwardedHeaders(headers: readonly (readonly [string, string])[], keepLength: boolean): FlatHeaders {
  const named = connectionTokens(headers);
  const kept: FlatHeaders = [];
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (HOP_BY_HOP.has(lower) || named.has(lower) || lower.startsWith('x-fc-') || lower === 'expect') continue;
    if (lower === 'content-length' && !keepLength) continue;
    kept.push(name, value);
  }
  return kept;
}

/** A response's headers as pairs, without those that belong to the connection. */
export function replyHeaders(flat: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) pairs.push([flat[i] as string, flat[i + 1] as string]);
  const named = connectionTokens(pairs);
  return pairs.filter(([name]) => !HOP_BY_HOP.has(name.toLowerCase()) && !named.has(name.toLowerCase()));
}

function connectionTokens(headers: readonly (readonly [string, string])[]): Set<string> {
  const tokens = new Set<string>();
  for (const [name, value] of headers) {
    if (name.toLowerCase() !== 'connection') continue;
    for (const token of value.split(',')) tokens.add(token.trim().toLowerCase());
  }
  return tokens;
}
