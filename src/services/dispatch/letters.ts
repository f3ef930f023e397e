import type { Clock } from '../../core/base/clock.ts';
import { newRequestId } from '../../core/base/ids.ts';
import type { Random } from '../../core/base/random.ts';
import type { DeadLetter } from '../../core/domain/dead-letter.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { rootLineage } from '../../core/domain/lineage.ts';
import type { Catalog } from '../../core/ports/catalog.ts';
import type { DeadLetters, LetterSelection } from '../../core/ports/dead-letters.ts';
import type { AsyncCommand } from '../../core/ports/dispatch.ts';
import type { LetterQuery, LetterTable, NewEvent, StoredLetter } from '../../core/ports/event-queue.ts';
import type { FactLog } from '../../core/ports/fact-log.ts';
import { type AsyncEnvelope, envelopeOf, eventOf } from './async-envelope.ts';
import { deliveryKey, deliveryOf } from './delivery-envelope.ts';
import { resolveTarget } from './resolve.ts';

interface LetterDeps {
  readonly table: LetterTable;
  readonly catalog: Catalog;
  readonly facts: Pick<FactLog, 'append'>;
  readonly clock: Clock;
  readonly random: Random;
}

const PAGE = 100;

/** Dead letters over the queue's own table: looks, deletes, and makes new events of old ones. */
export class Letters implements DeadLetters {
  private readonly deps: LetterDeps;

  constructor(deps: LetterDeps) {
    this.deps = deps;
  }

  list(query: LetterQuery): Promise<readonly DeadLetter[]> {
    return this.deps.table.list(query);
  }

  async get(account: string, number: number): Promise<StoredLetter> {
    const stored = await this.deps.table.get(account, number);
    if (stored === undefined) throw notFound(number);
    return stored;
  }

  async redrive(account: string, selection: LetterSelection, qualifier: string | undefined): Promise<number> {
    if ('number' in selection) {
      if (await this.redriveOne(account, await this.get(account, selection.number), qualifier)) return 1;
      throw notFound(selection.number);
    }
    return await this.each(account, selection, async (number) => {
      const stored = await this.deps.table.get(account, number);
      return stored !== undefined && (await this.redriveOne(account, stored, qualifier));
    });
  }

  async remove(account: string, selection: LetterSelection): Promise<number> {
    if ('number' in selection) {
      if (await this.deps.table.remove(account, selection.number)) return 1;
      throw notFound(selection.number);
    }
    return await this.each(account, selection, (number) => this.deps.table.remove(account, number));
  }

  counts(): Promise<readonly { readonly account: string; readonly functionName: string; readonly count: number }[]> {
    return this.deps.table.counts();
  }

  /** Goes from the newest down: what dies meanwhile is newer and not looked at again. Answers how often `action` did something. */
  private async each(
    account: string,
    selection: Omit<LetterQuery, 'account' | 'limit' | 'before'>,
    action: (number: number) => Promise<boolean>,
  ): Promise<number> {
    let done = 0;
    let before: number | undefined;
    for (;;) {
      const query = { ...selection, account, limit: PAGE, ...(before === undefined ? {} : { before }) };
      const page = await this.deps.table.list(query);
      for (const { number } of page) if (await action(number)) done++;
      before = page.at(-1)?.number;
      if (before === undefined || page.length < PAGE) return done;
    }
  }

  private async redriveOne(account: string, stored: StoredLetter, qualifier: string | undefined): Promise<boolean> {
    const { table, clock, facts } = this.deps;
    const { letter } = stored;
    if (letter.kind === 'delivery') {
      if (qualifier !== undefined) {
        throw new TidemillError('InvalidArgument', `dead letter ${letter.number} is a result that was not delivered`, {
          remedy: 'Redrive it without a qualifier: its function has run already and is not run again.',
        });
      }
      return await table.redrive(account, letter.number, this.delivery(stored));
    }
    const event = await this.invocation(account, stored, qualifier);
    if (!(await table.redrive(account, letter.number, event))) return false;
    const { functionName, requestId, taskId, qualifier: chosen } = event.headers;
    facts.append({
      type: 'event-accepted',
      at: clock.now(),
      account,
      functionName,
      requestId,
      taskId,
      qualifier: chosen,
    });
    return true;
  }

  /** The same invocation under a new request id, at the beginning of a new chain: whoever redrives it has looked at it. */
  private async invocation(
    account: string,
    { letter, headers, payload }: StoredLetter,
    qualifier: string | undefined,
  ): Promise<NewEvent & { readonly headers: AsyncEnvelope }> {
    const { catalog, clock, random } = this.deps;
    const { functionName } = letter;
    const chosen = qualifier ?? letter.qualifier;
    await resolveTarget(this.deps, account, functionName, chosen);
    const config = await catalog.asyncConfig(account, functionName, chosen);
    const requestId = newRequestId(random, clock.now());
    const delivery = deliveryOf(headers);
    const { http } = delivery ?? envelopeOf(headers);
    const command: AsyncCommand = {
      requestId,
      account,
      functionName,
      qualifier: chosen,
      payload: delivery === undefined ? payload : payload.subarray(0, delivery.requestBytes),
      lineage: rootLineage(requestId),
      ...(http === undefined ? {} : { http }),
    };
    return eventOf(command, clock.now(), config?.asyncTask === true);
  }

  private delivery({ letter, headers, payload }: StoredLetter): NewEvent {
    const { clock, random } = this.deps;
    const now = clock.now();
    const key = deliveryKey(letter.account, letter.functionName);
    return { id: `${key}#redrive:${newRequestId(random, now)}`, key, dueAt: now, headers, payload };
  }
}

function notFound(number: number): TidemillError {
  return new TidemillError('DeadLetterNotFound', `dead letter ${number} does not exist`);
}
