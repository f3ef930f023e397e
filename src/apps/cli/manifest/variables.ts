import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { usage } from '../failure.ts';
import { type Expression, parseExpression, splitText } from './expression.ts';

/** Where the values of `${...}` come from. */
export interface VariableSources {
  /** Folder of the manifest: relative paths start here. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly vars: unknown;
  /** Raw props of every resource. */
  readonly props: Readonly<Record<string, unknown>>;
  /** What was deployed so far, by resource. */
  readonly outputs: Readonly<Record<string, unknown>>;
  /** Values of `${config('AccountID')}` and the like; throws when it is unknown. */
  readonly config: (name: string) => string;
}

/** Longest chain of values that refer to one another; beyond it they go round in a circle. */
const DEPTH = 20;

/**
 * Replaces every `${...}` inside `value`. A text that is one expression alone takes its value with its type; inside a longer text values
 * are written out. `own` are the props that `${this.props.x}` means. Throws a usage Failure that names the expression.
 */
export function resolveVariables(value: unknown, sources: VariableSources, own: unknown = {}): unknown {
  return new Resolver(sources, own).value(value, 0);
}

class Resolver {
  private readonly sources: VariableSources;
  private readonly own: unknown;

  constructor(sources: VariableSources, own: unknown) {
    this.sources = sources;
    this.own = own;
  }

  value(value: unknown, depth: number): unknown {
    if (typeof value === 'string') return this.text(value, depth);
    if (Array.isArray(value)) return value.map((item) => this.value(item, depth));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [String(this.text(key, depth)), this.value(item, depth)]),
    );
  }

  private text(text: string, depth: number): unknown {
    if (!text.includes('${')) return text;
    if (depth > DEPTH) throw usage(`'${text}' refers to itself`);
    const parts = split(text);
    const [first] = parts;
    if (parts.length === 1 && first !== undefined && 'source' in first) return this.source(first.source, depth);
    return parts
      .map((part) => ('plain' in part ? part.plain : written(this.source(part.source, depth), part.source)))
      .join('');
  }

  private source(source: string, depth: number): unknown {
    let expression: Expression;
    try {
      expression = parseExpression(source);
    } catch (error) {
      throw usage(`\${${source}} is not understood: ${(error as Error).message}`);
    }
    return this.expression(expression, source, depth);
  }

  private expression(expression: Expression, source: string, depth: number): unknown {
    if (expression.kind === 'text') return expression.value;
    if (expression.kind === 'path') return this.path(expression.names, source, depth);
    return this.call(expression.name, expression.args, source, depth);
  }

  private path(names: readonly string[], source: string, depth: number): unknown {
    const [head, ...rest] = names;
    if (head === 'vars') return this.at(this.sources.vars, rest, source, depth);
    if (head === 'this' && rest[0] === 'props') return this.at(this.own, rest.slice(1), source, depth);
    if (head === 'resources') {
      const [name = '', part, ...path] = rest;
      if (part === 'props') {
        const props = this.sources.props[name];
        if (props === undefined) throw unknown(source, `there is no resource '${name}'`);
        return new Resolver(this.sources, props).at(props, path, source, depth);
      }
      if (part === 'output') {
        const output = this.sources.outputs[name];
        if (output === undefined) throw unknown(source, `the resource '${name}' is not deployed before this one`);
        return this.at(output, path, source, depth);
      }
    }
    throw unknown(
      source,
      'known are vars, env(), file(), json(), path(), config(), resources.NAME.props|output and this.props',
    );
  }

  private at(start: unknown, names: readonly string[], source: string, depth: number): unknown {
    let value = start;
    for (const name of names) {
      if (typeof value === 'string') value = this.value(value, depth + 1);
      const key = name.replace(/\[(\d+)\]$/, '.$1').split('.');
      for (const part of key) {
        if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part))
          throw unknown(source, `'${name}' is not there`);
        value = (value as Record<string, unknown>)[part];
      }
    }
    return this.value(value, depth + 1);
  }

  private call(name: string, args: readonly Expression[], source: string, depth: number): unknown {
    // An unquoted word is a text here: the older form is ${env(KEY)}.
    const texts = args.map((arg) =>
      arg.kind === 'path' && !['vars', 'this', 'resources'].includes(arg.names[0] ?? '')
        ? arg.names.join('.')
        : this.expression(arg, source, depth),
    );
    const first = written(texts[0] ?? '', source);
    if (name === 'env') {
      const found = this.sources.env[first] ?? texts[1];
      if (found === undefined) throw unknown(source, `the environment has no variable '${first}'`);
      return found;
    }
    if (name === 'config') return this.sources.config(first);
    if (name === 'path') return resolve(this.sources.folder, first);
    if (name === 'file') return this.file(first, source);
    if (name === 'json') return this.json(first, source);
    throw unknown(source, `there is no function '${name}'`);
  }

  private file(path: string, source: string): string {
    try {
      return readFileSync(resolve(this.sources.folder, path), 'utf8').trim();
    } catch (error) {
      throw unknown(source, (error as Error).message);
    }
  }

  /** `json` takes a JSON text, or the name of a file with one. */
  private json(text: string, source: string): unknown {
    const content = existsSync(resolve(this.sources.folder, text)) ? this.file(text, source) : text;
    try {
      return JSON.parse(content);
    } catch (error) {
      throw unknown(source, `it is not JSON (${(error as Error).message})`);
    }
  }
}

function split(text: string): ReturnType<typeof splitText> {
  try {
    return splitText(text);
  } catch (error) {
    throw usage((error as Error).message);
  }
}

function unknown(source: string, why: string): Error {
  return usage(`\${${source}} has no value: ${why}`, 'Correct it, or write $${ for a plain ${.');
}

function written(value: unknown, source: string): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value === null || value === undefined) throw unknown(source, 'it is empty');
  return JSON.stringify(value);
}
