import { TidemillError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { ReadAddressRange } from './address-range.ts';
import { compileCondition, type Condition, OPERATORS } from './condition.ts';
import { isKnownKey } from './condition-keys.ts';
import type { PatternList, PolicyDocument, Statement, TrustPolicy, TrustStatement } from './document.ts';
import { duplicateName } from './json-text.ts';
import { compilePattern, type Pattern } from './pattern.ts';
import { compileResource } from './resource.ts';

export interface ParseOptions {
  readonly addresses: ReadAddressRange;
  /** Characters the text may have; default that of a custom policy. */
  readonly maxChars?: number;
}

/**
 * Reads a permission policy. Throws MalformedPolicyDocument, and nothing else, naming the place and what was expected: what would
 * have no effect is refused as well.
 */
export function parsePolicy(text: string, options: ParseOptions): PolicyDocument {
  const statements = statementsOf(text, options);
  return { statements: statements.map((raw, index) => permissionStatement(raw, `Statement[${index}]`, options)) };
}

/** Reads the trust policy of a role; the same promises. */
export function parseTrustPolicy(text: string, options: ParseOptions): TrustPolicy {
  const statements = statementsOf(text, options);
  return { statements: statements.map((raw, index) => trustStatement(raw, `Statement[${index}]`, options)) };
}

type Members = Readonly<Record<string, unknown>>;

function statementsOf(text: string, options: ParseOptions): readonly unknown[] {
  const max = options.maxChars ?? LIMITS.policyDocumentChars;
  if (text.length > max) throw malformed(`the document has ${text.length} characters; at most ${max} are allowed`);
  const document = membersOf(jsonOf(text), 'the document', ['Version', 'Statement']);
  if (document['Version'] !== '1') throw malformed('Version must be "1"');
  const statements = document['Statement'];
  const all = Array.isArray(statements) ? (statements as readonly unknown[]) : [statements];
  if (all.length === 0 || statements === undefined) throw malformed('Statement must hold at least one statement');
  if (all.length > LIMITS.policyStatements) {
    throw malformed(`Statement holds ${all.length} statements; at most ${LIMITS.policyStatements} are allowed`);
  }
  return all;
}

function jsonOf(text: string): unknown {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw malformed(`the document is not JSON: ${error instanceof Error ? error.message : 'it cannot be read'}`);
  }
  const twice = duplicateName(text);
  if (twice !== undefined) throw malformed(`the member ${shown(twice)} occurs twice in one object`);
  return document;
}

function permissionStatement(raw: unknown, at: string, options: ParseOptions): Statement {
  const known = ['Sid', 'Effect', 'Action', 'NotAction', 'Resource', 'NotResource', 'Condition'];
  const members = membersOf(raw, at, known);
  return {
    effect: effectOf(members, at),
    actions: patternsOf(members, at, 'Action', 'NotAction', readAction),
    resources: patternsOf(members, at, 'Resource', 'NotResource', readResource),
    conditions: conditionsOf(members['Condition'], `${at}.Condition`, options),
  };
}

function trustStatement(raw: unknown, at: string, options: ParseOptions): TrustStatement {
  const members = membersOf(raw, at, ['Sid', 'Effect', 'Action', 'Principal', 'Condition']);
  const who = membersOf(members['Principal'], `${at}.Principal`, ['RAM', 'Service']);
  const ram = who['RAM'] === undefined ? [] : strings(who['RAM'], `${at}.Principal.RAM`);
  const services = who['Service'] === undefined ? [] : strings(who['Service'], `${at}.Principal.Service`);
  if (ram.length + services.length === 0) throw malformed(`${at}.Principal must name somebody under RAM or Service`);
  for (const arn of ram) {
    if (/^acs:ram::\d{1,32}:(root|user\/[\w.@-]{1,64}|role\/[\w.-]{1,64})$/.test(arn)) continue;
    throw malformed(
      `${at}.Principal.RAM: ${shown(arn)} is not of the form acs:ram::ACCOUNT:root, :user/NAME or :role/NAME`,
    );
  }
  for (const service of services) {
    if (/^[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){1,8}$/.test(service)) continue;
    throw malformed(`${at}.Principal.Service: ${shown(service)} is not the host name of a service`);
  }
  return {
    effect: effectOf(members, at),
    actions: patternsOf(members, at, 'Action', 'NotAction', readAction),
    ram,
    services,
    conditions: conditionsOf(members['Condition'], `${at}.Condition`, options),
  };
}

function effectOf(members: Members, at: string): 'Allow' | 'Deny' {
  const effect = members['Effect'];
  if (effect !== 'Allow' && effect !== 'Deny') throw malformed(`${at}.Effect must be "Allow" or "Deny"`);
  if (members['Sid'] !== undefined && typeof members['Sid'] !== 'string') throw malformed(`${at}.Sid must be a string`);
  return effect;
}

function patternsOf(
  members: Members,
  at: string,
  name: string,
  exceptName: string,
  read: (text: string) => Pattern | string,
): PatternList {
  const except = members[exceptName] !== undefined;
  if (except === (members[name] !== undefined)) throw malformed(`${at} must have either ${name} or ${exceptName}`);
  const place = `${at}.${except ? exceptName : name}`;
  const patterns = strings(members[except ? exceptName : name], place).map((text) => {
    const pattern = text.includes('${') ? 'has a policy variable: they are not supported' : read(text);
    if (typeof pattern === 'string') throw malformed(`${place}: ${shown(text)} ${pattern}`);
    return pattern;
  });
  return { except, patterns };
}

function readAction(text: string): Pattern | string {
  if (/^(\*|[a-z0-9-]+:[a-z0-9*?]+)$/i.test(text)) return compilePattern(text, { ignoreCase: true });
  return 'is neither * nor of the form SERVICE:ACTION';
}

function readResource(text: string): Pattern | string {
  return compileResource(text) ?? 'is neither * nor of the form acs:SERVICE:REGION:ACCOUNT:NAME';
}

function conditionsOf(raw: unknown, at: string, options: ParseOptions): readonly Condition[] {
  if (raw === undefined) return [];
  const conditions: Condition[] = [];
  for (const [operator, block] of Object.entries(membersOf(raw, at))) {
    const known = OPERATORS.get(operator);
    if (known === undefined) {
      throw malformed(`${at}: there is no operator ${shown(operator)}; known are ${[...OPERATORS.keys()].join(', ')}`);
    }
    const place = `${at}.${operator}`;
    for (const [key, values] of Object.entries(membersOf(block, place))) {
      if (!isKnownKey(key)) throw malformed(`${place}: the key ${shown(key)} is not supported`);
      const written = strings(values, `${place}.${key}`, ['number', 'boolean']);
      if (written.some((value) => value.includes('${'))) {
        throw malformed(`${place}.${key} has a policy variable: they are not supported`);
      }
      const condition = compileCondition(operator, key, written, options.addresses);
      if (condition === undefined) throw malformed(`${place}.${key}: the values must be ${known.values}`);
      conditions.push(condition);
    }
  }
  return conditions;
}

/** One string or a list of them; RAM takes a single one without brackets. */
function strings(raw: unknown, at: string, alsoTypes: readonly string[] = []): readonly string[] {
  const all: readonly unknown[] = Array.isArray(raw) ? raw : [raw];
  if (all.length === 0) throw malformed(`${at} must not be empty`);
  return all.map((value) => {
    if (typeof value !== 'string' && !alsoTypes.includes(typeof value)) {
      throw malformed(`${at} must be a string or a list of strings`);
    }
    return String(value);
  });
}

/** The members of an object; with `known` no others. */
function membersOf(raw: unknown, at: string, known?: readonly string[]): Members {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) throw malformed(`${at} must be an object`);
  const names = Object.keys(raw);
  if (names.length === 0 && known === undefined) throw malformed(`${at} must not be empty`);
  const strange = known === undefined ? undefined : names.find((name) => !known.includes(name));
  if (strange !== undefined) {
    throw malformed(`${at} has no member ${shown(strange)}; known are ${known?.join(', ') ?? ''}`);
  }
  return raw as Members;
}

function shown(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}...` : text);
}

function malformed(what: string): TidemillError {
  return new TidemillError('MalformedPolicyDocument', `The policy is malformed: ${what}`);
}
