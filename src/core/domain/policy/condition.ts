import type { ReadAddressRange } from './address-range.ts';
import { compilePattern } from './pattern.ts';

/** One key of a `Condition` block with what it is compared to. Several of them have all to hold. */
export interface Condition {
  /** As RAM spells it, e.g. `StringEquals`. */
  readonly operator: string;
  /** As written; compared without regard to case. */
  readonly key: string;
  readonly values: readonly string[];
  /** Whether one value of the request is among those written; the operator's `Not` is not applied yet. */
  matchesAny(actual: string): boolean;
  readonly negated: boolean;
}

/** Makes the comparison with one written value; undefined: the value is not of the operator's type. */
type Comparison = (written: string, addresses: ReadAddressRange) => ((actual: string) => boolean) | undefined;

interface Operator {
  readonly compare: Comparison;
  readonly negated: boolean;
  /** What values have to be, for refusals. */
  readonly values: string;
}

const NUMBER = /^-?\d{1,15}(\.\d{1,10})?$/;
const DATE = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/;

function numberOf(text: string): number {
  return NUMBER.test(text) ? Number(text) : Number.NaN;
}

function dateOf(text: string): number {
  return DATE.test(text) ? Date.parse(text) : Number.NaN;
}

/** What cannot be read compares as false, whatever the operator: NaN does so by itself. */
function compared(read: (text: string) => number, holds: (actual: number, written: number) => boolean): Comparison {
  return (written) => {
    const limit = read(written);
    return Number.isNaN(limit) ? undefined : (actual) => holds(read(actual), limit);
  };
}

const EQUAL = (actual: number, written: number): boolean => actual === written;

function ordered(
  kind: 'Numeric' | 'Date',
  read: (text: string) => number,
  values: string,
): readonly (readonly [string, Operator])[] {
  const operator = (holds: (actual: number, written: number) => boolean, negated = false): Operator => ({
    compare: compared(read, holds),
    negated,
    values,
  });
  return [
    [`${kind}Equals`, operator(EQUAL)],
    [`${kind}NotEquals`, operator(EQUAL, true)],
    [`${kind}LessThan`, operator((actual, written) => actual < written)],
    [`${kind}LessThanEquals`, operator((actual, written) => actual <= written)],
    [`${kind}GreaterThan`, operator((actual, written) => actual > written)],
    [`${kind}GreaterThanEquals`, operator((actual, written) => actual >= written)],
  ];
}

const equals: Comparison = (written) => (actual) => actual === written;
const equalsIgnoreCase: Comparison = (written) => {
  const folded = written.toLowerCase();
  return (actual) => actual.toLowerCase() === folded;
};
const like: Comparison = (written) => {
  const pattern = compilePattern(written);
  return (actual) => pattern.matches(actual);
};
const bool: Comparison = (written) => {
  const folded = written.toLowerCase();
  return folded === 'true' || folded === 'false' ? (actual) => actual.toLowerCase() === folded : undefined;
};
const inRange: Comparison = (written, addresses) => {
  const range = addresses(written);
  return range === undefined ? undefined : (actual) => range.contains(actual);
};

const ADDRESSES = 'addresses or CIDR blocks, such as 203.0.113.0/24';

/** RAM's condition operators ("Conditional operators" of its documentation). */
export const OPERATORS: ReadonlyMap<string, Operator> = new Map([
  ['StringEquals', { compare: equals, negated: false, values: 'strings' }],
  ['StringNotEquals', { compare: equals, negated: true, values: 'strings' }],
  ['StringEqualsIgnoreCase', { compare: equalsIgnoreCase, negated: false, values: 'strings' }],
  ['StringNotEqualsIgnoreCase', { compare: equalsIgnoreCase, negated: true, values: 'strings' }],
  ['StringLike', { compare: like, negated: false, values: 'strings' }],
  ['StringNotLike', { compare: like, negated: true, values: 'strings' }],
  ...ordered('Numeric', numberOf, 'decimal numbers'),
  ...ordered('Date', dateOf, 'ISO 8601 dates with a zone, such as 2026-01-31T08:00:00+08:00'),
  ['Bool', { compare: bool, negated: false, values: 'true or false' }],
  ['IpAddress', { compare: inRange, negated: false, values: ADDRESSES }],
  ['NotIpAddress', { compare: inRange, negated: true, values: ADDRESSES }],
]);

/** Undefined: a value is not what the operator compares; `OPERATORS` says what it should be. */
export function compileCondition(
  operator: string,
  key: string,
  values: readonly string[],
  addresses: ReadAddressRange,
): Condition | undefined {
  const known = OPERATORS.get(operator);
  if (known === undefined) return undefined;
  const tests: ((actual: string) => boolean)[] = [];
  for (const value of values) {
    const test = known.compare(value, addresses);
    if (test === undefined) return undefined;
    tests.push(test);
  }
  const matchesAny = (actual: string): boolean => tests.some((test) => test(actual));
  return { operator, key, values, matchesAny, negated: known.negated };
}

/**
 * Values written are alternatives; of a request's several values one has to match. `Not...` holds when none matches.
 *
 * A key that the request does not have: nothing matches. RAM does not say what `Not...` makes of that; here ignorance never
 * widens: it holds in a Deny and does not in an Allow.
 */
export function holds(
  condition: Condition,
  actual: string | readonly string[] | undefined,
  effect: 'Allow' | 'Deny',
): boolean {
  if (actual === undefined) return condition.negated && effect === 'Deny';
  const matches = typeof actual === 'string' ? condition.matchesAny(actual) : actual.some(condition.matchesAny);
  return matches !== condition.negated;
}
