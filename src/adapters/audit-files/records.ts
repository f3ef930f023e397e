import { createHmac, timingSafeEqual } from 'node:crypto';
import type { AuditEntry, AuditRecord } from '../../core/ports/audit-log.ts';

/** The seal before the first record. */
export const FIRST_SEAL = '';

/** One line of the log: number, seal and entry, as JSON. */
export function lineOf(
  secret: Uint8Array,
  number: number,
  before: string,
  entry: AuditEntry,
): { line: string; seal: string } {
  const body = JSON.stringify(entry);
  const seal = sealOf(secret, number, before, body);
  return { line: `${JSON.stringify({ number, seal })}\t${body}\n`, seal };
}

export interface ReadLine {
  readonly record: AuditRecord;
  /** Of the entry, as it was sealed. */
  readonly body: string;
}

/** Undefined when it is no line of ours. */
export function readLine(line: string): ReadLine | undefined {
  const at = line.indexOf('\t');
  if (at < 0) return undefined;
  const body = line.slice(at + 1);
  try {
    const head = JSON.parse(line.slice(0, at)) as { number: number; seal: string };
    return { record: { ...(JSON.parse(body) as AuditEntry), number: head.number, seal: head.seal }, body };
  } catch {
    return undefined;
  }
}

/** True when the line is what was written after the record with the seal `before`. */
export function isSealed(secret: Uint8Array, { record, body }: ReadLine, before: string): boolean {
  const expected = Buffer.from(sealOf(secret, record.number, before, body));
  const given = Buffer.from(record.seal);
  return expected.length === given.length && timingSafeEqual(expected, given);
}

function sealOf(secret: Uint8Array, number: number, before: string, body: string): string {
  return createHmac('sha256', secret).update(`${number}\n${before}\n${body}`).digest('base64url');
}
