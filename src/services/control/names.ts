import { LIMITS } from '../../core/domain/limits.ts';
import { invalid, shown } from './fields.ts';

const NAME = /^[A-Za-z_][A-Za-z0-9_-]*$/;

/** Names of functions, layers, aliases and triggers: `[A-Za-z_][A-Za-z0-9_-]*`, 1..128 characters (FC reference 3.1, 1.2, 1.4). */
export function checkName(field: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') throw invalid(field, 'is required but not provided');
  if (value.length > LIMITS.nameLength) {
    throw invalid(field, `is ${value.length} characters long, at most ${LIMITS.nameLength} are allowed`);
  }
  if (!NAME.test(value)) {
    throw invalid(
      field,
      `must start with a letter or '_' and have only letters, digits, '_' and '-', not ${shown(value)}`,
    );
  }
  return value;
}

/** True for what can stand in a path as a name; anything else cannot exist. */
export function isName(value: string): boolean {
  return value.length <= LIMITS.nameLength && NAME.test(value);
}

export type Qualifier =
  | { readonly kind: 'latest' }
  | { readonly kind: 'version'; readonly versionId: string }
  | { readonly kind: 'alias'; readonly aliasName: string };

/** Absent or `LATEST`: the head; digits: a version; else an alias (FC reference 7, resolution order). */
export function parseQualifier(qualifier: string | undefined): Qualifier {
  if (qualifier === undefined || qualifier === '' || qualifier === 'LATEST') return { kind: 'latest' };
  if (/^\d+$/.test(qualifier)) return { kind: 'version', versionId: qualifier.replace(/^0+(?=\d)/, '') };
  return { kind: 'alias', aliasName: qualifier };
}
