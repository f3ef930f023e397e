import type { AuditRecord, AuditVerdict } from '../../../core/ports/audit-log.ts';
import { opsPath } from '../api/fc-client.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../failure.ts';
import { table } from '../terminal/text.ts';

interface ListOptions {
  readonly limit?: number;
  readonly before?: number;
}

/** `tidemill audit list`: control calls and denied calls of the account, or of all for the operator. */
export async function listAudit(context: Context, { limit, before }: ListOptions): Promise<number> {
  const query = {
    limit: String(limit ?? 50),
    before: before === undefined ? undefined : String(before),
  };
  const { records } = await context.client.call<{ readonly records: readonly AuditRecord[] }>(
    'LookupEvents',
    'GET',
    opsPath`/audit`,
    { query },
  );
  context.output.answer({ records }, () =>
    records.length === 0
      ? 'nothing is on record'
      : table(
          ['NUMBER', 'WHEN', 'WHO', 'FROM', 'ACTION', 'RESOURCE', 'OUTCOME'],
          records.map((one) => [
            String(one.number),
            new Date(one.at).toISOString(),
            one.principal === '' ? one.accessKeyId : one.principal,
            one.sourceIp,
            one.action,
            one.resource,
            [one.outcome, one.code, one.count > 1 ? `x${one.count}` : ''].filter((text) => text !== '').join(' '),
          ]),
        ),
  );
  return EXIT.ok;
}

/** `tidemill audit verify`: exit code 1 when a record was changed, taken out or put in. */
export async function verifyAudit(context: Context): Promise<number> {
  const verdict = await context.client.call<AuditVerdict>('LookupEvents', 'GET', opsPath`/audit/verify`, {});
  context.output.answer(verdict, () =>
    verdict.sound
      ? `sound: the records ${verdict.from} to ${verdict.to} are as they were written`
      : `NOT sound: at record ${verdict.number}, ${verdict.why}`,
  );
  return verdict.sound ? EXIT.ok : EXIT.failed;
}
