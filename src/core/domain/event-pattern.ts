/**
 * Event patterns of EventBridge: an object as deep as the event, whose leaves are lists of what a field may be. Every field
 * of the pattern must match (and), by any entry of its list (or). A field that holds a list matches by any of its items.
 */
export type EventPattern = { readonly [field: string]: EventPattern | readonly Matcher[] };

type Scalar = string | number | boolean | null;

/** A value itself, or a condition such as `{"prefix": "refs/heads/"}`. */
export type Matcher =
  | Scalar
  | { readonly prefix: string }
  | { readonly suffix: string }
  | { readonly contains: string }
  | { readonly exists: boolean }
  | { readonly numeric: readonly (string | number)[] }
  | { readonly 'anything-but': Scalar | readonly Scalar[] | { readonly prefix: string } };

const MAX_DEPTH = 10;
const COMPARE: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '=': (a, b) => a === b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

/** What is wrong with a pattern, with the path of the field; undefined: nothing. */
export function patternProblem(pattern: unknown, path = '', depth = 0): string | undefined {
  if (!isRecord(pattern)) return `${path || 'the pattern'} must be an object or a list of values`;
  if (depth >= MAX_DEPTH) return `${path} is nested deeper than ${MAX_DEPTH} levels`;
  for (const [field, value] of Object.entries(pattern)) {
    const at = path === '' ? field : `${path}.${field}`;
    const problem = Array.isArray(value) ? listProblem(value, at) : patternProblem(value, at, depth + 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function listProblem(list: readonly unknown[], path: string): string | undefined {
  if (list.length === 0) return `${path} is an empty list, which nothing matches`;
  const wrong = list.find((matcher) => !isMatcher(matcher));
  return wrong === undefined ? undefined : `${path} has ${JSON.stringify(wrong)}, which is no value or known condition`;
}

function isMatcher(matcher: unknown): boolean {
  if (isScalar(matcher)) return true;
  if (!isRecord(matcher)) return false;
  const [[kind, value] = ['', undefined], ...others] = Object.entries(matcher);
  if (others.length > 0) return false;
  if (kind === 'prefix' || kind === 'suffix' || kind === 'contains') return typeof value === 'string';
  if (kind === 'exists') return typeof value === 'boolean';
  if (kind === 'numeric') return isNumeric(value);
  if (kind !== 'anything-but') return false;
  if (isRecord(value)) return Object.keys(value).length === 1 && typeof value['prefix'] === 'string';
  return Array.isArray(value) ? value.length > 0 && value.every(isScalar) : isScalar(value);
}

function isNumeric(value: unknown): boolean {
  if (!Array.isArray(value) || value.length === 0 || value.length % 2 !== 0) return false;
  return value.every((part, n) => (n % 2 === 0 ? Object.hasOwn(COMPARE, String(part)) : typeof part === 'number'));
}

/** Whether an event has everything that the pattern asks for. */
export function matchesPattern(pattern: EventPattern, event: unknown): boolean {
  return Object.entries(pattern).every(([field, wanted]) => {
    const value = isRecord(event) && Object.hasOwn(event, field) ? event[field] : undefined;
    return isList(wanted)
      ? wanted.some((matcher) => matchesField(matcher, value))
      : value !== undefined && matchesPattern(wanted, value);
  });
}

function matchesField(matcher: Matcher, value: unknown): boolean {
  if (isRecord(matcher) && 'exists' in matcher) return matcher.exists === (value !== undefined);
  if (value === undefined) return false;
  return Array.isArray(value) ? value.some((item) => matchesValue(matcher, item)) : matchesValue(matcher, value);
}

function matchesValue(matcher: Matcher, value: unknown): boolean {
  if (!isRecord(matcher)) return matcher === value;
  if ('numeric' in matcher) return typeof value === 'number' && inRange(matcher.numeric, value);
  if ('anything-but' in matcher) {
    const but = matcher['anything-but'];
    if (isList(but)) return !but.some((one) => one === value);
    return isRecord(but) ? !(typeof value === 'string' && value.startsWith(but.prefix)) : but !== value;
  }
  if (typeof value !== 'string') return false;
  if ('prefix' in matcher) return value.startsWith(matcher.prefix);
  if ('suffix' in matcher) return value.endsWith(matcher.suffix);
  return 'contains' in matcher && value.includes(matcher.contains);
}

function inRange(conditions: readonly (string | number)[], value: number): boolean {
  for (let n = 0; n < conditions.length; n += 2) {
    if (COMPARE[String(conditions[n])]?.(value, Number(conditions[n + 1])) !== true) return false;
  }
  return true;
}

function isScalar(value: unknown): value is Scalar {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isList<T>(value: T | readonly T[] | object): value is readonly T[] {
  return Array.isArray(value);
}
