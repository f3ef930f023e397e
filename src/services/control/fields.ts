import { notSupported, TidemillError } from '../../core/domain/errors.ts';

/** InvalidArgument with the field's own message: what is wrong with which field. */
export function invalid(field: string, problem: string, remedy?: string): TidemillError {
  return new TidemillError('InvalidArgument', `${field} ${problem}`, remedy === undefined ? {} : { remedy });
}

/** A value inside a message, short and on one line. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The empty value that clients send to clear or leave out a setting (FC reference 3.1): null, '', 0, false, [], {} and objects made of
 * nothing else.
 */
export function isNeutral(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0 || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return isRecord(value) && Object.values(value).every(isNeutral);
}

interface StringRule {
  readonly max?: number;
  readonly min?: number;
  readonly pattern?: RegExp;
  /** Said after "must" when the pattern does not match. */
  readonly form?: string;
}

interface NumberRule {
  readonly min: number;
  readonly max: number;
  readonly step?: number;
}

/**
 * Reads one JSON object field by field. Null counts as absent. Wrong types and ranges are InvalidArgument with the field's path; `done`
 * refuses by name what nobody read.
 */
export class FieldReader {
  private readonly values: Readonly<Record<string, unknown>>;
  private readonly path: string;
  private readonly seen = new Set<string>();

  /** `path`: prefix of field names in messages, '' at the top. */
  constructor(input: unknown, path = '') {
    if (!isRecord(input)) throw invalid(path === '' ? 'the request body' : path, 'must be a JSON object');
    this.values = input;
    this.path = path;
  }

  name(field: string): string {
    return this.path === '' ? field : `${this.path}.${field}`;
  }

  raw(field: string): unknown {
    this.seen.add(field);
    return Object.hasOwn(this.values, field) ? (this.values[field] ?? undefined) : undefined;
  }

  string(field: string, rule: StringRule = {}): string | undefined {
    const value = this.raw(field);
    if (value === undefined) return undefined;
    return checkString(this.name(field), value, rule);
  }

  required(field: string, rule: StringRule = {}): string {
    const value = this.string(field, rule);
    if (value === undefined || value === '') throw invalid(this.name(field), 'is required but not provided');
    return value;
  }

  integer(field: string, rule: NumberRule): number | undefined {
    const value = this.raw(field);
    if (value === undefined) return undefined;
    const ok =
      typeof value === 'number' &&
      Number.isInteger(value) &&
      value >= rule.min &&
      value <= rule.max &&
      (rule.step === undefined || value % rule.step === 0);
    if (ok) return value;
    const step = rule.step === undefined ? '' : ` and a multiple of ${rule.step}`;
    throw invalid(this.name(field), `must be an integer from ${rule.min} to ${rule.max}${step}, not ${shown(value)}`);
  }

  boolean(field: string): boolean | undefined {
    const value = this.raw(field);
    if (value === undefined || typeof value === 'boolean') return value;
    throw invalid(this.name(field), `must be true or false, not ${shown(value)}`);
  }

  oneOf<T extends string>(field: string, choices: readonly T[]): T | undefined {
    const value = this.raw(field);
    if (value === undefined) return undefined;
    const choice = choices.find((candidate) => candidate === value);
    if (choice !== undefined) return choice;
    throw invalid(this.name(field), `must be one of ${choices.join(', ')}, not ${shown(value)}`);
  }

  strings(field: string, rule: { readonly maxItems: number; readonly item?: StringRule }): string[] | undefined {
    const value = this.raw(field);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) throw invalid(this.name(field), 'must be a list of strings');
    if (value.length > rule.maxItems) {
      throw invalid(this.name(field), `has ${value.length} items, at most ${rule.maxItems} are allowed`);
    }
    return value.map((item, index) => checkString(`${this.name(field)}[${index}]`, item, rule.item ?? {}));
  }

  object(field: string): FieldReader | undefined {
    const value = this.raw(field);
    return value === undefined ? undefined : new FieldReader(value, this.name(field));
  }

  /** Refuses a known but unsupported setting unless it is neutral. */
  refuse(field: string, remedy: string, neutral: (value: unknown) => boolean = isNeutral): void {
    const value = this.raw(field);
    if (value !== undefined && !neutral(value)) throw notSupported(`the field '${this.name(field)}'`, remedy);
  }

  /** Throws NotSupported for every field that was given but is unknown, unless its value is neutral null. */
  done(): void {
    for (const [field, value] of Object.entries(this.values)) {
      if (this.seen.has(field) || value === undefined || value === null) continue;
      throw notSupported(`the field '${this.name(field)}'`, 'Leave the field out, or check its spelling.');
    }
  }
}

function checkString(name: string, value: unknown, rule: StringRule): string {
  if (typeof value !== 'string') throw invalid(name, `must be a string, not ${shown(value)}`);
  const length = Array.from(value).length; // characters, not UTF-16 units
  if (rule.max !== undefined && length > rule.max) {
    throw invalid(name, `is ${length} characters long, at most ${rule.max} are allowed`);
  }
  if (rule.min !== undefined && length < rule.min) throw invalid(name, `must have at least ${rule.min} characters`);
  if (rule.pattern !== undefined && !rule.pattern.test(value)) {
    throw invalid(name, `must ${rule.form ?? `match ${rule.pattern.source}`}, not ${shown(value)}`);
  }
  return value;
}
