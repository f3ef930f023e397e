import { compilePattern, type Pattern } from './pattern.ts';

/** `acs:SERVICE:REGION:ACCOUNT:` and the rest, which may have colons of its own. */
const PARTS = 5;

/**
 * A pattern for resource names, part by part: `*` in one part never reaches into the next, or a colon in an object's key could
 * pass for the end of the account. A last part that ends in `*` stands for all that follow: `acs:oss:*`. Undefined: the text is
 * neither `*` nor of the form `acs:...`.
 */
export function compileResource(text: string): Pattern | undefined {
  if (/^\*+$/.test(text)) return compilePattern(text);
  const parts = partsOf(text);
  if (parts[0] !== 'acs') return undefined;
  const open = parts.length < PARTS;
  if (open && !parts.at(-1)!.endsWith('*')) return undefined;
  if (!/[*?]/.test(text)) return compilePattern(text);
  const patterns = parts.map((part) => compilePattern(part));
  return {
    text,
    matches(resource) {
      const actual = partsOf(resource);
      return (
        (open ? actual.length >= patterns.length : actual.length === patterns.length) &&
        patterns.every((pattern, index) => pattern.matches(actual[index]!))
      );
    },
  };
}

/** The account that a resource belongs to; empty for names without one. */
export function accountOf(resource: string): string {
  return partsOf(resource)[3] ?? '';
}

function partsOf(text: string): string[] {
  const parts: string[] = [];
  let from = 0;
  for (let colon = text.indexOf(':'); colon >= 0 && parts.length < PARTS - 1; colon = text.indexOf(':', from)) {
    parts.push(text.slice(from, colon));
    from = colon + 1;
  }
  parts.push(text.slice(from));
  return parts;
}
