import type { Clock } from '../../core/base/clock.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { AliasRecord } from '../../core/domain/function.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { Input, ListQuery, Page } from '../../core/ports/control.ts';
import type { AliasDocument, FunctionDocument } from './documents.ts';
import type { Document } from './document-store.ts';
import { FieldReader, invalid, isRecord, shown } from './fields.ts';
import type { FunctionHeads } from './function-heads.ts';
import { keys } from './keys.ts';
import { checkName, isName } from './names.ts';
import { fromToken, pageLimit, takePage } from './paging.ts';
import { refuseReserved } from './provision-configs.ts';

/** Names over one or two weighted versions (FC reference 1.2). */
export class Aliases {
  private readonly heads: FunctionHeads;
  private readonly clock: Clock;

  constructor(heads: FunctionHeads, clock: Clock) {
    this.heads = heads;
    this.clock = clock;
  }

  async create(account: string, name: string, input: Input): Promise<AliasRecord> {
    const reader = new FieldReader(input);
    const aliasName = checkName('aliasName', reader.raw('aliasName'));
    if (aliasName === 'LATEST') throw invalid('aliasName', "must not be 'LATEST', which names the function's head");
    const versionId = reader.required('versionId');
    const description = reader.string('description', { max: LIMITS.descriptionLength }) ?? '';
    const weights = readWeights(reader) ?? {};
    reader.done();
    return this.heads.exclusive(account, name, async (head) => {
      const now = this.clock.now();
      const target = await this.checkTarget(head, versionId, weights);
      const record: AliasRecord = {
        account,
        functionName: name,
        aliasName,
        ...target,
        description,
        createdTime: now,
        lastModifiedTime: now,
      };
      const document: AliasDocument = { functionId: head.value.record.functionId, record };
      if (!(await this.heads.createChild(keys.alias(account, name, aliasName), document))) {
        throw new TidemillError('AliasAlreadyExists', `alias '${aliasName}' already exists`);
      }
      return record;
    });
  }

  /** Both versions must exist, differ, and share less than everything. Throws InvalidArgument, VersionNotFound. */
  private async checkTarget(
    head: Document<FunctionDocument>,
    versionId: string,
    weights: Readonly<Record<string, number>>,
  ): Promise<{ versionId: string; additionalVersionWeight: Record<string, number> }> {
    if (!/^\d{1,10}$/.test(versionId)) {
      throw invalid(
        'versionId',
        `must be the number of a published version, not ${shown(versionId)}`,
        'Publish a version first.',
      );
    }
    const main = (await this.heads.version(head, versionId)).value.record.versionId;
    const additionalVersionWeight: Record<string, number> = {};
    for (const [extra, weight] of Object.entries(weights)) {
      if (!/^\d{1,10}$/.test(extra))
        throw invalid('additionalVersionWeight', `must name published versions by number, not ${shown(extra)}`);
      const id = (await this.heads.version(head, extra)).value.record.versionId;
      if (id === main)
        throw invalid('additionalVersionWeight', `names the main version '${id}' itself`, 'Name another version.');
      additionalVersionWeight[id] = weight;
    }
    return { versionId: main, additionalVersionWeight };
  }

  async get(account: string, name: string, aliasName: string): Promise<AliasRecord> {
    return (await this.heads.alias(await this.heads.read(account, name), aliasName)).value.record;
  }

  async update(account: string, name: string, aliasName: string, input: Input): Promise<AliasRecord> {
    const reader = new FieldReader(input);
    const named = reader.raw('aliasName');
    if (named !== undefined && named !== aliasName)
      throw invalid('aliasName', 'cannot be changed', 'Create a new alias.');
    const versionId = reader.string('versionId');
    const description = reader.string('description', { max: LIMITS.descriptionLength });
    const weights = readWeights(reader);
    reader.done();
    return this.heads.exclusive(account, name, async (head) => {
      const alias = await this.heads.alias(head, aliasName);
      const before = alias.value.record;
      const target = await this.checkTarget(
        head,
        versionId === undefined || versionId === '' ? before.versionId : versionId,
        weights ?? before.additionalVersionWeight,
      );
      const record: AliasRecord = {
        ...before,
        ...target,
        description: description ?? before.description,
        lastModifiedTime: this.clock.now(),
      };
      const written = await this.heads.documents.put(alias.key, { ...alias.value, record }, alias.revision);
      if (!written.ok) {
        throw new TidemillError(
          'ConcurrentUpdateError',
          `alias '${aliasName}' was changed by another update at the same time`,
        );
      }
      return record;
    });
  }

  async delete(account: string, name: string, aliasName: string): Promise<void> {
    await this.heads.exclusive(account, name, async (head) => {
      const alias = await this.heads.alias(head, aliasName);
      await refuseReserved(this.heads.documents, head, aliasName);
      await this.heads.documents.delete(alias.key);
      await this.heads.documents.delete(keys.reserved(account, name, aliasName));
      await this.heads.documents.delete(keys.asyncConfig(account, name, aliasName));
    });
  }

  async list(account: string, name: string, query: ListQuery): Promise<Page<AliasRecord>> {
    const limit = pageLimit(query.limit);
    const after = fromToken(query.nextToken);
    const head = await this.heads.read(account, name);
    const prefix = query.prefix ?? '';
    if (prefix !== '' && !isName(prefix)) return { items: [] };
    const { functionId } = head.value.record;
    return takePage(
      this.heads.documents.scan<AliasDocument>(keys.alias(account, name, prefix), { after }),
      limit,
      (item) => item.key,
      ({ value }) => (value.functionId === functionId ? value.record : undefined),
    );
  }
}

/** Version id -> share of the calls; one extra version, as in Function Compute. */
function readWeights(reader: FieldReader): Record<string, number> | undefined {
  const value = reader.raw('additionalVersionWeight');
  if (value === undefined) return undefined;
  if (!isRecord(value)) throw invalid('additionalVersionWeight', 'must be an object of version id and weight');
  const weights: Record<string, number> = {};
  for (const [versionId, weight] of Object.entries(value)) {
    if (typeof weight !== 'number' || !(weight >= 0 && weight <= 1)) {
      throw invalid(`additionalVersionWeight.${versionId}`, `must be a number from 0 to 1, not ${shown(weight)}`);
    }
    weights[versionId] = weight;
  }
  if (Object.keys(weights).length > 1) {
    throw invalid('additionalVersionWeight', 'names more than one version', 'Name at most one extra version.');
  }
  return weights;
}
