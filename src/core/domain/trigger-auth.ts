/** A JSON Web Key as it was configured; checked when it was. */
export type TriggerKey = Readonly<Record<string, unknown>> & {
  readonly kty: 'RSA' | 'EC' | 'OKP' | 'oct';
  readonly kid?: string;
};

/** Where a token may be; the first place that has one counts. */
export interface TokenPlace {
  readonly position: 'header' | 'cookie' | 'query' | 'form';
  readonly name: string;
  /** Taken off together with the space after it; a value without it is no token. */
  readonly prefix: string;
}

/** A claim that the function gets as a header, cookie or form parameter, in place of what the caller sent under that name. */
export interface PassedClaim {
  readonly position: 'header' | 'cookie' | 'form';
  readonly claim: string;
  readonly as: string;
}

/** Signed tokens (FC reference 6.2). */
export interface JwtAuth {
  readonly kind: 'jwt';
  /** At most one without `kid`. */
  readonly keys: readonly TriggerKey[];
  readonly lookup: readonly TokenPlace[];
  readonly pass: readonly PassedClaim[];
  /** `except`: these paths need no token; `only`: only these do. A trailing `*` stands for any rest. */
  readonly paths: { readonly mode: 'except' | 'only'; readonly patterns: readonly string[] };
}

/** Fixed tokens (FC reference 6.2). */
export interface BearerAuth {
  readonly kind: 'bearer';
  readonly tokens: readonly { readonly name: string; readonly data: string; readonly enable: boolean }[];
}

/** Names and passwords (FC reference 6.2). */
export interface BasicAuth {
  readonly kind: 'basic';
  readonly users: readonly { readonly name: string; readonly password: string }[];
}

/** How an HTTP trigger knows its callers without an access key. */
export type TriggerAuth = JwtAuth | BearerAuth | BasicAuth;

/** Algorithms that a key may be used with: its own `alg`, else those of its type. One key never serves two kinds of algorithm. */
export function algorithmsOf(key: TriggerKey): readonly string[] {
  const ofType = ALGORITHMS[key.kty === 'EC' ? `EC ${String(key['crv'])}` : key.kty] ?? [];
  const { alg } = key;
  return alg === undefined ? ofType : ofType.filter((each) => each === alg);
}

const ALGORITHMS: Readonly<Record<string, readonly string[]>> = {
  RSA: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  'EC P-256': ['ES256'],
  'EC P-384': ['ES384'],
  'EC P-521': ['ES512'],
  OKP: ['EdDSA'],
  oct: ['HS256', 'HS384', 'HS512'],
};
