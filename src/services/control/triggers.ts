import type { Clock } from '../../core/base/clock.ts';
import { newLetters, newUuid } from '../../core/base/ids.ts';
import type { Random } from '../../core/base/random.ts';
import { parseBucketArn } from '../../core/domain/arn.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { Lineage } from '../../core/domain/lineage.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import { domainPrefixOf, type TriggerConfig, type TriggerRecord, type TriggerType } from '../../core/domain/trigger.ts';
import type { Input, ListQuery, Page } from '../../core/ports/control.ts';
import type { ObjectSource } from '../../core/ports/object-store.ts';
import { BucketRules } from './bucket-rules.ts';
import type { FunctionDocument, TriggerDocument } from './documents.ts';
import type { Document, DocumentStore } from './document-store.ts';
import { readEventBridgeConfig, withoutSecret } from './event-source-config.ts';
import { FieldReader, invalid, shown } from './fields.ts';
import type { FunctionHeads } from './function-heads.ts';
import { keys } from './keys.ts';
import { checkName, isName } from './names.ts';
import { fromToken, pageLimit, takePage } from './paging.ts';
import { withoutAuthSecrets } from './trigger-auth-config.ts';
import {
  checkTriggerType,
  parseTriggerConfig,
  readHttpConfig,
  readOssConfig,
  readTimerConfig,
} from './trigger-config.ts';

const PREFIX_LETTERS = 10;
/** A DNS label has at most 63 characters. */
const SLUG_LENGTH = 63 - 1 - PREFIX_LETTERS;

/** The host name label of an HTTP trigger: the function's name as far as DNS allows, and random letters (FC reference 6.2). */
export function newDomainPrefix(functionName: string, random: Random): string {
  const slug = functionName
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, SLUG_LENGTH)
    .replace(/^-+|-+$/g, '');
  const letters = newLetters(random, PREFIX_LETTERS);
  return slug === '' ? letters : `${slug}-${letters}`;
}

/**
 * Triggers (FC reference 1.4, 6). `invocationRole` and the account in `sourceArn` are stored and given back; the platform's own sources
 * need neither. Indexes (domain prefix, bucket rules) are written before the trigger and removed after it.
 */
export class Triggers {
  private readonly heads: FunctionHeads;
  private readonly objects: ObjectSource;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly bucketRules: BucketRules;
  private readonly documents: DocumentStore;

  constructor(heads: FunctionHeads, objects: ObjectSource, clock: Clock, random: Random) {
    this.heads = heads;
    this.objects = objects;
    this.clock = clock;
    this.random = random;
    this.documents = heads.documents;
    this.bucketRules = new BucketRules(heads.documents);
  }

  async create(account: string, name: string, input: Input, lineage?: Lineage): Promise<TriggerRecord> {
    const reader = new FieldReader(input);
    const triggerName = checkName('triggerName', reader.raw('triggerName'));
    const type = checkTriggerType(reader.raw('triggerType'));
    const common = readCommon(reader);
    const sourceArn = reader.string('sourceArn', { max: 300 }) ?? '';
    const rawInput = reader.raw('triggerConfig');
    reader.done();
    return this.heads.exclusive(account, name, async (head) => {
      const existing = await this.ofFunction(head);
      const key = keys.trigger(account, name, triggerName);
      if (existing.some((trigger) => trigger.triggerName === triggerName)) throw alreadyExists(triggerName);
      if (existing.length >= LIMITS.triggersPerFunction) {
        throw new TidemillError(
          'LimitExceededError',
          `function '${name}' has ${existing.length} triggers, the limit is ${LIMITS.triggersPerFunction}`,
        );
      }
      const qualifier = await this.heads.checkQualifier(head, common.qualifier);
      const domainPrefix = newDomainPrefix(name, this.random);
      const { config, raw } = await this.readTypedConfig(account, { type, sourceArn, domainPrefix }, rawInput);
      refuseSecondHttp(existing, config, qualifier, undefined);
      const now = this.clock.now();
      const record: TriggerRecord = {
        account,
        functionName: name,
        triggerName,
        triggerId: newUuid(this.random),
        qualifier,
        description: common.description ?? '',
        sourceArn,
        invocationRole: common.invocationRole ?? '',
        config,
        rawConfig: raw,
        ...(lineage === undefined ? {} : { lineage }),
        createdTime: now,
        lastModifiedTime: now,
      };
      const document: TriggerDocument = { functionId: head.value.record.functionId, record };
      return this.withIndexes(config, async () => {
        await this.index(record);
        if (await this.heads.createChild(key, document)) return record;
        await this.unindex(record);
        throw alreadyExists(triggerName);
      });
    });
  }

  private async readTypedConfig(
    account: string,
    of: {
      readonly type: TriggerType;
      readonly sourceArn: string;
      readonly domainPrefix: string;
      readonly before?: TriggerConfig;
    },
    value: unknown,
  ): Promise<{ config: TriggerConfig; raw: string }> {
    const { reader, raw } = parseTriggerConfig(value);
    switch (of.type) {
      case 'http':
        return { config: readHttpConfig(reader, of.domainPrefix, of.before), raw: withoutAuthSecrets(raw) };
      case 'timer':
        return { config: readTimerConfig(reader), raw };
      case 'eventbridge':
        return { config: readEventBridgeConfig(reader, of.domainPrefix, of.before), raw: withoutSecret(raw) };
      case 'oss':
        return { config: readOssConfig(reader, await this.checkBucket(account, of.sourceArn)), raw };
    }
  }

  private async checkBucket(account: string, sourceArn: string): Promise<string> {
    if (sourceArn === '')
      throw invalid('sourceArn', 'is required for an oss trigger', 'Send acs:oss:REGION:ACCOUNT:BUCKET.');
    const name = parseBucketArn(sourceArn);
    if (name === undefined) {
      throw invalid('sourceArn', `must have the form acs:oss:REGION:ACCOUNT:BUCKET, not ${shown(sourceArn)}`);
    }
    const bucket = await this.objects.bucket(name);
    if (bucket?.account === account) return name;
    throw invalid('sourceArn', `names the bucket '${name}', which does not exist`, 'Create the bucket first.');
  }

  private async ofFunction(head: Document<FunctionDocument>): Promise<TriggerRecord[]> {
    const { account, name, functionId } = head.value.record;
    const found: TriggerRecord[] = [];
    for await (const { value } of this.documents.scan<TriggerDocument>(keys.triggers(account, name))) {
      if (value.functionId === functionId) found.push(value.record);
    }
    return found;
  }

  private withIndexes<T>(config: TriggerConfig, work: () => Promise<T>): Promise<T> {
    return config.type === 'oss' ? this.bucketRules.exclusive(config.bucket, work) : work();
  }

  private async index(record: TriggerRecord): Promise<void> {
    const { account, functionName, triggerName, triggerId, config } = record;
    const domainPrefix = domainPrefixOf(config);
    if (domainPrefix !== undefined) {
      await this.documents.put(keys.domain(domainPrefix), { account, functionName, triggerName });
    } else if (config.type === 'oss') {
      const { events, prefix, suffix, bucket } = config;
      await this.bucketRules.put(bucket, { account, functionName, triggerName, triggerId, events, prefix, suffix });
    }
  }

  private async unindex(record: TriggerRecord): Promise<void> {
    const domainPrefix = domainPrefixOf(record.config);
    if (domainPrefix !== undefined) await this.documents.delete(keys.domain(domainPrefix));
    else if (record.config.type === 'oss') await this.bucketRules.remove(record.config.bucket, record.triggerId);
  }

  private async find(head: Document<FunctionDocument>, triggerName: string): Promise<Document<TriggerDocument>> {
    const { account, name } = head.value.record;
    const found = isName(triggerName)
      ? await this.heads.child<TriggerDocument>(head, keys.trigger(account, name, triggerName))
      : undefined;
    if (found === undefined) throw new TidemillError('TriggerNotFound', `trigger '${triggerName}' does not exist`);
    return found;
  }

  async get(account: string, name: string, triggerName: string): Promise<TriggerRecord> {
    return (await this.find(await this.heads.read(account, name), triggerName)).value.record;
  }

  /** Absent fields keep their value; a given triggerConfig replaces the old one. The domain prefix stays. */
  async update(
    account: string,
    name: string,
    triggerName: string,
    input: Input,
    lineage?: Lineage,
  ): Promise<TriggerRecord> {
    const reader = new FieldReader(input);
    const common = readCommon(reader);
    const rawInput = reader.raw('triggerConfig');
    reader.done();
    return this.heads.exclusive(account, name, async (head) => {
      const found = await this.find(head, triggerName);
      const before = found.value.record;
      const qualifier =
        common.qualifier === undefined ? before.qualifier : await this.heads.checkQualifier(head, common.qualifier);
      const domainPrefix = domainPrefixOf(before.config) ?? '';
      const { type } = before.config;
      const { config, raw } =
        rawInput === undefined
          ? { config: before.config, raw: before.rawConfig }
          : await this.readTypedConfig(
              account,
              { type, sourceArn: before.sourceArn, domainPrefix, before: before.config },
              rawInput,
            );
      refuseSecondHttp(await this.ofFunction(head), config, qualifier, triggerName);
      const { lineage: _, ...kept } = before;
      const record: TriggerRecord = {
        ...kept,
        ...(lineage === undefined ? {} : { lineage }),
        qualifier,
        config,
        rawConfig: raw,
        description: common.description ?? before.description,
        invocationRole: common.invocationRole ?? before.invocationRole,
        lastModifiedTime: this.clock.now(),
      };
      return this.withIndexes(config, async () => {
        await this.index(record);
        const written = await this.documents.put(found.key, { ...found.value, record }, found.revision);
        if (written.ok) return record;
        await this.index(before);
        throw new TidemillError(
          'ConcurrentUpdateError',
          `trigger '${triggerName}' was changed by another update at the same time`,
        );
      });
    });
  }

  async delete(account: string, name: string, triggerName: string): Promise<void> {
    await this.heads.exclusive(account, name, async (head) => {
      await this.remove(await this.find(head, triggerName));
    });
  }

  private async remove(found: Document<TriggerDocument>): Promise<void> {
    await this.documents.delete(found.key);
    await this.unindex(found.value.record);
  }

  /** Removes every trigger made for this function; the function itself may be gone already. */
  async removeAll(account: string, name: string, functionId: string): Promise<void> {
    for await (const trigger of this.documents.scan<TriggerDocument>(keys.triggers(account, name))) {
      if (trigger.value.functionId === functionId) await this.remove(trigger);
    }
  }

  async list(account: string, name: string, query: ListQuery): Promise<Page<TriggerRecord>> {
    const limit = pageLimit(query.limit);
    const after = fromToken(query.nextToken);
    const { functionId } = (await this.heads.read(account, name)).value.record;
    const prefix = query.prefix ?? '';
    if (prefix !== '' && !isName(prefix)) return { items: [] };
    return takePage(
      this.documents.scan<TriggerDocument>(keys.trigger(account, name, prefix), { after }),
      limit,
      (item) => item.key,
      ({ value }) => (value.functionId === functionId ? value.record : undefined),
    );
  }
}

function alreadyExists(triggerName: string): TidemillError {
  return new TidemillError('TriggerAlreadyExists', `trigger '${triggerName}' already exists`);
}

function readCommon(reader: FieldReader): {
  description: string | undefined;
  invocationRole: string | undefined;
  qualifier: string | undefined;
} {
  return {
    description: reader.string('description', { max: LIMITS.descriptionLength }),
    invocationRole: reader.string('invocationRole', { max: 300 }),
    qualifier: reader.string('qualifier', { max: 128 }),
  };
}

/** At most one HTTP trigger per version or alias (FC reference 2.10). */
function refuseSecondHttp(
  existing: readonly TriggerRecord[],
  config: TriggerConfig,
  qualifier: string,
  self: string | undefined,
): void {
  if (config.type !== 'http') return;
  const other = existing.find(
    (trigger) => trigger.config.type === 'http' && trigger.qualifier === qualifier && trigger.triggerName !== self,
  );
  if (other === undefined) return;
  throw new TidemillError(
    'LimitExceededError',
    `qualifier '${qualifier}' already has the http trigger '${other.triggerName}': at most one is allowed`,
    { remedy: 'Update or delete that trigger, or create this one for another alias or version.' },
  );
}
