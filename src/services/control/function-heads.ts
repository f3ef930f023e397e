import { isDeepStrictEqual } from 'node:util';
import { functionArn } from '../../core/domain/arn.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { FunctionConfig, FunctionRecord } from '../../core/domain/function.ts';
import type { FunctionView } from '../../core/ports/control.ts';
import type { AliasDocument, FunctionDocument, UsedLayer, VersionDocument } from './documents.ts';
import type { Document, DocumentStore } from './document-store.ts';
import { KeyedLock } from '../../core/base/keyed-lock.ts';
import { keys } from './keys.ts';
import { isName, parseQualifier } from './names.ts';

/** Tries of a compare-and-swap on a head before giving up: others won every time. */
const TRIES = 32;

export function functionNotFound(name: string): TidemillError {
  return new TidemillError('FunctionNotFound', `function '${name}' does not exist`);
}

function versionNotFound(versionId: string): TidemillError {
  return new TidemillError('VersionNotFound', `version '${versionId}' does not exist`);
}

function aliasNotFound(aliasName: string): TidemillError {
  return new TidemillError('AliasNotFound', `alias '${aliasName}' does not exist`);
}

/** Reads and changes heads of functions, and looks behind qualifiers. */
export class FunctionHeads {
  readonly documents: DocumentStore;
  readonly region: string;
  private readonly locks = new KeyedLock();

  constructor(documents: DocumentStore, region: string) {
    this.documents = documents;
    this.region = region;
  }

  /** Throws FunctionNotFound. */
  async read(account: string, name: string): Promise<Document<FunctionDocument>> {
    const found = isName(name) ? await this.documents.read<FunctionDocument>(keys.function(account, name)) : undefined;
    if (found === undefined) throw functionNotFound(name);
    return found;
  }

  /** Changes to what stands below a function run one after the other within this process. */
  exclusive<T>(account: string, name: string, work: (head: Document<FunctionDocument>) => Promise<T>): Promise<T> {
    return this.locks.run(keys.function(account, name), async () => work(await this.read(account, name)));
  }

  /** The same lock, without asking for the function to exist. */
  locked<T>(account: string, name: string, work: () => Promise<T>): Promise<T> {
    return this.locks.run(keys.function(account, name), work);
  }

  /**
   * Compare-and-swap: `change` gets the current head and returns the next one, or undefined for no change; it may be called again when
   * another writer was faster, and throws when that writer's change is in its way.
   */
  async change(
    account: string,
    name: string,
    change: (current: FunctionDocument) => FunctionDocument | undefined,
  ): Promise<FunctionDocument> {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const current = await this.read(account, name);
      const next = change(current.value);
      if (next === undefined) return current.value;
      const written = await this.documents.put(current.key, next, current.revision);
      if (written.ok) return next;
    }
    throw new TidemillError('ConcurrentUpdateError', `function '${name}' is being changed by many at once`);
  }

  /** A part of a function, if it belongs to this function and not to an earlier one of the same name. */
  async child<T extends { readonly functionId: string }>(
    head: Document<FunctionDocument>,
    key: string,
  ): Promise<Document<T> | undefined> {
    const found = await this.documents.read<T>(key);
    return found?.value.functionId === head.value.record.functionId ? found : undefined;
  }

  /** Writes a part of a function that must not exist yet; a leftover of an earlier function gives way. False: it exists. */
  async createChild<T extends { readonly functionId: string }>(key: string, child: T): Promise<boolean> {
    const created = await this.documents.put(key, child, 0);
    if (created.ok) return true;
    const there = await this.documents.read<T>(key);
    if (there !== undefined && there.value.functionId === child.functionId) return false;
    return (await this.documents.put(key, child, there?.revision ?? 0)).ok;
  }

  /** Throws VersionNotFound. */
  async version(head: Document<FunctionDocument>, versionId: string): Promise<Document<VersionDocument>> {
    const { account, name } = head.value.record;
    const plausible = /^\d{1,10}$/.test(versionId);
    const found = plausible
      ? await this.child<VersionDocument>(head, keys.version(account, name, versionId))
      : undefined;
    if (found === undefined) throw versionNotFound(versionId);
    return found;
  }

  /** Throws AliasNotFound. */
  async alias(head: Document<FunctionDocument>, aliasName: string): Promise<Document<AliasDocument>> {
    const { account, name } = head.value.record;
    const found = isName(aliasName)
      ? await this.child<AliasDocument>(head, keys.alias(account, name, aliasName))
      : undefined;
    if (found === undefined) throw aliasNotFound(aliasName);
    return found;
  }

  /** Throws VersionNotFound or AliasNotFound unless the qualifier names something. Returns it in its stored form. */
  async checkQualifier(head: Document<FunctionDocument>, qualifier: string | undefined): Promise<string> {
    const parsed = parseQualifier(qualifier);
    if (parsed.kind === 'latest') return 'LATEST';
    if (parsed.kind === 'version') return (await this.version(head, parsed.versionId)).value.record.versionId;
    return (await this.alias(head, parsed.aliasName)).value.record.aliasName;
  }

  /** The function seen through a qualifier. Throws FunctionNotFound, VersionNotFound, AliasNotFound. */
  async view(account: string, name: string, qualifier: string | undefined): Promise<FunctionView> {
    const head = await this.read(account, name);
    const parsed = parseQualifier(qualifier);
    if (parsed.kind === 'latest') return this.headView(head.value, qualifier === 'LATEST' ? qualifier : undefined);
    const versionId =
      parsed.kind === 'version' ? parsed.versionId : (await this.alias(head, parsed.aliasName)).value.record.versionId;
    const { record, layers } = (await this.version(head, versionId)).value;
    return this.compose(head.value.record, record, layers, record.versionId, qualifier);
  }

  headView(head: FunctionDocument, qualifier?: string): FunctionView {
    return this.compose(head.record, head.record, head.layers, 'LATEST', qualifier);
  }

  private compose(
    head: FunctionRecord,
    seen: Pick<FunctionRecord, 'config' | 'code' | 'createdTime' | 'lastModifiedTime'>,
    layers: readonly UsedLayer[],
    versionId: string,
    qualifier: string | undefined,
  ): FunctionView {
    return {
      record: head,
      functionArn: functionArn(this.region, head.account, head.name, qualifier),
      versionId,
      config: seen.config,
      code: seen.code,
      createdTime: seen.createdTime,
      lastModifiedTime: seen.lastModifiedTime,
      layers: layers.map((layer) => ({ arn: layer.arn, size: layer.code.size })),
    };
  }
}

/**
 * Throws ConcurrentUpdateError when someone else changed a field since `base` to something other than what we `want`. Fields that we
 * do not touch may have changed.
 */
export function refuseLostUpdate(
  name: string,
  touched: readonly (keyof FunctionConfig)[],
  base: FunctionConfig,
  current: FunctionConfig,
  wanted: FunctionConfig,
): void {
  for (const field of touched) {
    if (isDeepStrictEqual(base[field], current[field])) continue;
    if (isDeepStrictEqual(current[field], wanted[field])) continue;
    throw new TidemillError(
      'ConcurrentUpdateError',
      `${field} of function '${name}' was changed by another update at the same time`,
    );
  }
}
