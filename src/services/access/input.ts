import { TidemillError } from '../../core/domain/errors.ts';

/** InvalidArgument with the parameter's name. */
export function invalid(parameter: string, problem: string): TidemillError {
  return new TidemillError('InvalidArgument', `The parameter ${parameter} ${problem}`);
}

const NAMES = {
  user: {
    pattern: /^[A-Za-z0-9._-]{1,64}$/,
    says: 'must have 1 to 64 letters, digits, periods, hyphens and underscores',
  },
  group: {
    pattern: /^[A-Za-z0-9._-]{1,64}$/,
    says: 'must have 1 to 64 letters, digits, periods, hyphens and underscores',
  },
  role: {
    pattern: /^[A-Za-z0-9._-]{1,64}$/,
    says: 'must have 1 to 64 letters, digits, periods, hyphens and underscores',
  },
  policy: { pattern: /^[A-Za-z0-9-]{1,128}$/, says: 'must have 1 to 128 letters, digits and hyphens' },
  session: { pattern: /^[A-Za-z0-9.@_-]{2,64}$/, says: 'must have 2 to 64 letters, digits and the characters . @ - _' },
} as const;

/** Throws InvalidArgument unless the name is one of its kind (the rules of the RAM reference). */
export function checkName(kind: keyof typeof NAMES, parameter: string, name: string): string {
  const { pattern, says } = NAMES[kind];
  if (!pattern.test(name)) throw invalid(parameter, `is '${name.slice(0, 80)}': it ${says}`);
  return name;
}

/** Throws InvalidArgument when the text is longer than `max` characters. */
export function checkLength(parameter: string, text: string, max: number): string {
  if (text.length > max) throw invalid(parameter, `has ${text.length} characters, allowed are ${max}`);
  return text;
}

/** Throws LimitExceededError when one more would be more than `max`. */
export function checkRoom(what: string, limit: string, have: number, max: number): void {
  if (have < max) return;
  throw new TidemillError('LimitExceededError', `${what}: at most ${max} are allowed (${limit})`);
}
