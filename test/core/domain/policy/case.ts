/** A statement as people write it. */
export type RawStatement = Readonly<Record<string, unknown>>;

/** One documented rule, applied to one request. */
export interface DecisionCase {
  /** Where the rule is written: page of RAM's (or OSS's, FC's) documentation and heading; `ours` where they are silent (ADR 14). */
  readonly rule: string;
  readonly statements: readonly RawStatement[];
  /** Statements of a session policy. */
  readonly session?: readonly RawStatement[];
  readonly action: string;
  readonly resource: string;
  readonly context?: Readonly<Record<string, string | readonly string[]>>;
  readonly expect: 'allow' | 'explicit-deny' | 'implicit-deny';
}

export const ACCOUNT = '1234567890123456';
export const F = `acs:fc:cn-hangzhou:${ACCOUNT}:functions/f`;
export const OBJECT = `acs:oss:cn-hangzhou:${ACCOUNT}:photos/2015/a.jpg`;

export function allow(action: unknown, resource: unknown = '*', condition?: unknown): RawStatement {
  return {
    Effect: 'Allow',
    Action: action,
    Resource: resource,
    ...(condition === undefined ? {} : { Condition: condition }),
  };
}

export function deny(action: unknown, resource: unknown = '*', condition?: unknown): RawStatement {
  return { ...allow(action, resource, condition), Effect: 'Deny' };
}

/** One rule for many requests. */
export function cases(
  rule: string,
  statements: readonly RawStatement[],
  requests: readonly (readonly [
    action: string,
    resource: string,
    expect: DecisionCase['expect'],
    context?: DecisionCase['context'],
  ])[],
): readonly DecisionCase[] {
  return requests.map(([action, resource, expect, context]) => ({
    rule,
    statements,
    action,
    resource,
    expect,
    ...(context === undefined ? {} : { context }),
  }));
}

/** One condition on an otherwise open Allow: what each value of the key leads to. Undefined: the request lacks the key. */
export function conditionCases(
  rule: string,
  condition: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  values: readonly (readonly [value: string | readonly string[] | undefined, holds: boolean])[],
): readonly DecisionCase[] {
  const key = Object.keys(Object.values(condition)[0] ?? {})[0] ?? '';
  return cases(
    rule,
    [allow('*', '*', condition)],
    values.map(([value, holds]) => [
      'oss:GetObject',
      OBJECT,
      holds ? 'allow' : 'implicit-deny',
      value === undefined ? {} : { [key.toLowerCase()]: value },
    ]),
  );
}
