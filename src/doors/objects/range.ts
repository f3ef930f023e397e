import type { ByteSpan } from '../../core/ports/object-store.ts';

/**
 * The bytes that a Range header asks for. `whole` for a header that is missing, malformed or names several ranges (which a
 * server may ignore, RFC 9110 14.2); `unsatisfiable` when no byte of it exists.
 */
export function parseRange(header: string | undefined, size: number): ByteSpan | 'whole' | 'unsatisfiable' {
  const match = /^bytes=(\d*)-(\d*)$/i.exec((header ?? '').replaceAll(' ', ''));
  if (match === null) return 'whole';
  const [, first = '', last = ''] = match;
  if (first === '') {
    if (last === '') return 'whole';
    const count = Number(last);
    return count === 0 || size === 0 ? 'unsatisfiable' : { start: Math.max(0, size - count), end: size - 1 };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return 'whole';
  if (start >= size) return 'unsatisfiable';
  return { start, end: last === '' ? size - 1 : Math.min(Number(last), size - 1) };
}
