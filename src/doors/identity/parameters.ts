import { TidemillError } from '../../core/domain/errors.ts';

/** The parameters of one RPC request, each read by the operation that takes it. An empty one counts as absent. */
export class Parameters {
  private readonly values: ReadonlyMap<string, string>;

  constructor(values: ReadonlyMap<string, string>) {
    this.values = values;
  }

  names(): readonly string[] {
    return [...this.values.keys()];
  }

  text(name: string): string | undefined {
    const value = this.values.get(name);
    return value === undefined || value === '' ? undefined : value;
  }

  /** As `text`, but an empty one is empty: it clears what was there. */
  given(name: string): string | undefined {
    return this.values.get(name);
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw new TidemillError('InvalidArgument', `The parameter ${name} is missing`);
    return value;
  }

  integer(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (/^\d{1,9}$/.test(value)) return Number(value);
    throw new TidemillError('InvalidArgument', `The parameter ${name} must be a whole number`);
  }

  boolean(name: string): boolean {
    return this.oneOf(name, ['true', 'false'] as const) === 'true';
  }

  oneOf<T extends string>(name: string, allowed: readonly T[]): T | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const found = allowed.find((each) => each.toLowerCase() === value.toLowerCase());
    if (found !== undefined) return found;
    throw new TidemillError('InvalidArgument', `The parameter ${name} must be one of ${allowed.join(', ')}`);
  }
}
