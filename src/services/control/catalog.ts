import type { Disposable } from '../../core/base/disposable.ts';
import { Emitter } from '../../core/base/emitter.ts';
import { functionArn } from '../../core/domain/arn.ts';
import type {
  AliasRecord,
  AsyncInvokeConfigRecord,
  FunctionRecord,
  VersionRecord,
} from '../../core/domain/function.ts';
import { domainPrefixOf, type TriggerRecord } from '../../core/domain/trigger.ts';
import type { VersionSpec } from '../../core/domain/version-spec.ts';
import type { Catalog } from '../../core/ports/catalog.ts';
import type { MetadataChange } from '../../core/ports/metadata-store.ts';
import type {
  AliasDocument,
  AsyncConfigDocument,
  DomainDocument,
  FunctionDocument,
  TriggerDocument,
  UsedLayer,
  VersionDocument,
} from './documents.ts';
import type { DocumentStore } from './document-store.ts';
import { functionOfKey, keys } from './keys.ts';

interface TriggerChange {
  readonly key: string;
  readonly trigger: TriggerRecord | undefined;
}

/** The catalog over the cached documents. Parts of an earlier function with the same name do not show. */
export class DocumentCatalog implements Catalog {
  private readonly documents: DocumentStore;
  private readonly region: string;
  /** Specs by the document they were made from: the same document gives the same spec object. */
  private readonly specs = new WeakMap<FunctionDocument | VersionDocument, VersionSpec>();
  private readonly functionChanges = new Emitter<{ account: string; name: string }>();
  private readonly triggerChanges = new Emitter<TriggerChange>();
  private readonly subscription: Disposable;

  constructor(documents: DocumentStore, region: string) {
    this.documents = documents;
    this.region = region;
    this.subscription = documents.onChange((change) => this.announce(change));
  }

  dispose(): void {
    this.subscription.dispose();
  }

  async function(account: string, name: string): Promise<FunctionRecord | undefined> {
    return (await this.head(account, name))?.record;
  }

  functionNow(account: string, name: string): FunctionRecord | undefined {
    return this.documents.peek<FunctionDocument>(keys.function(account, name))?.record;
  }

  private head(account: string, name: string): Promise<FunctionDocument | undefined> {
    return this.documents.cached<FunctionDocument>(keys.function(account, name));
  }

  /** A part of a function; undefined when it was made for an earlier function of the same name. */
  private async child<T extends { readonly functionId: string }>(
    account: string,
    name: string,
    key: string,
  ): Promise<T | undefined> {
    const head = await this.head(account, name);
    if (head === undefined) return undefined;
    const child = await this.documents.cached<T>(key);
    return child?.functionId === head.record.functionId ? child : undefined;
  }

  private childNow<T extends { readonly functionId: string }>(
    account: string,
    name: string,
    key: string,
  ): T | undefined {
    const head = this.documents.peek<FunctionDocument>(keys.function(account, name));
    const child = this.documents.peek<T>(key);
    if (head === undefined || head === null || child === undefined || child === null) return undefined;
    return child.functionId === head.record.functionId ? child : undefined;
  }

  async version(account: string, name: string, versionId: string): Promise<VersionRecord | undefined> {
    return (await this.child<VersionDocument>(account, name, keys.version(account, name, versionId)))?.record;
  }

  async alias(account: string, name: string, aliasName: string): Promise<AliasRecord | undefined> {
    return (await this.child<AliasDocument>(account, name, keys.alias(account, name, aliasName)))?.record;
  }

  aliasNow(account: string, name: string, aliasName: string): AliasRecord | undefined {
    return this.childNow<AliasDocument>(account, name, keys.alias(account, name, aliasName))?.record;
  }

  async spec(account: string, name: string, versionId: string): Promise<VersionSpec | undefined> {
    if (versionId === 'LATEST') {
      const head = await this.head(account, name);
      return head === undefined ? undefined : this.headSpec(head);
    }
    const version = await this.child<VersionDocument>(account, name, keys.version(account, name, versionId));
    return version === undefined ? undefined : this.versionSpec(version);
  }

  specNow(account: string, name: string, versionId: string): VersionSpec | undefined {
    if (versionId === 'LATEST') {
      const head = this.documents.peek<FunctionDocument>(keys.function(account, name));
      return head === undefined || head === null ? undefined : this.headSpec(head);
    }
    const version = this.childNow<VersionDocument>(account, name, keys.version(account, name, versionId));
    return version === undefined ? undefined : this.versionSpec(version);
  }

  private headSpec(head: FunctionDocument): VersionSpec {
    const { functionId, generation } = head.record;
    return this.makeSpec(head, head.record.name, 'LATEST', `${functionId.slice(0, 8)}.${generation}`, head.layers);
  }

  private versionSpec(version: VersionDocument): VersionSpec {
    const { functionName, versionId } = version.record;
    return this.makeSpec(version, functionName, versionId, version.functionId.slice(0, 8), version.layers);
  }

  /** `generation` names the function's incarnation too: a function made anew must not get the old one's instances. */
  private makeSpec(
    source: FunctionDocument | VersionDocument,
    functionName: string,
    versionId: string,
    generation: string,
    layers: readonly UsedLayer[],
  ): VersionSpec {
    const known = this.specs.get(source);
    if (known !== undefined) return known;
    const { account, config, code } = source.record;
    const spec: VersionSpec = {
      key: `${account}/${functionName}/${versionId}@${generation}`,
      account,
      functionName,
      functionArn: functionArn(this.region, account, functionName),
      versionId,
      config,
      code,
      layers: layers.map((layer) => ({ arn: layer.arn, code: layer.code })),
    };
    this.specs.set(source, spec);
    return spec;
  }

  async asyncConfig(account: string, name: string, qualifier: string): Promise<AsyncInvokeConfigRecord | undefined> {
    const key = keys.asyncConfig(account, name, qualifier);
    return (await this.child<AsyncConfigDocument>(account, name, key))?.record;
  }

  async httpTrigger(domainPrefix: string): Promise<TriggerRecord | undefined> {
    const domain = await this.documents.cached<DomainDocument>(keys.domain(domainPrefix));
    if (domain === undefined) return undefined;
    const { account, functionName, triggerName } = domain;
    const key = keys.trigger(account, functionName, triggerName);
    return matching((await this.child<TriggerDocument>(account, functionName, key))?.record, domainPrefix);
  }

  httpTriggerNow(domainPrefix: string): TriggerRecord | undefined {
    const domain = this.documents.peek<DomainDocument>(keys.domain(domainPrefix));
    if (domain === undefined || domain === null) return undefined;
    const { account, functionName, triggerName } = domain;
    const key = keys.trigger(account, functionName, triggerName);
    return matching(this.childNow<TriggerDocument>(account, functionName, key)?.record, domainPrefix);
  }

  async triggers(type: TriggerRecord['config']['type']): Promise<readonly TriggerRecord[]> {
    const found: TriggerRecord[] = [];
    let last: { readonly owner: string; readonly functionId: string | undefined } | undefined;
    for await (const { value } of this.documents.scan<TriggerDocument>('t/')) {
      const { record, functionId } = value;
      if (record.config.type !== type) continue;
      const owner = keys.function(record.account, record.functionName);
      // A function's triggers come one after the other.
      if (owner !== last?.owner) {
        last = { owner, functionId: (await this.documents.read<FunctionDocument>(owner))?.value.record.functionId };
      }
      if (last.functionId === functionId) found.push(record);
    }
    return found;
  }

  onTrigger(listener: (change: TriggerChange) => void): Disposable {
    return this.triggerChanges.subscribe(listener);
  }

  onFunction(listener: (change: { readonly account: string; readonly name: string }) => void): Disposable {
    return this.functionChanges.subscribe(listener);
  }

  private announce(change: MetadataChange): void {
    const key = change.type === 'put' ? change.entry.key : change.key;
    if (key.startsWith('t/')) {
      const trigger = change.type === 'put' ? (change.entry.value as TriggerDocument).record : undefined;
      this.triggerChanges.emit({ key: key.slice(2), trigger });
    } else if (/^[fvas]\//.test(key)) {
      this.functionChanges.emit(functionOfKey(key));
    }
  }
}

/** A prefix that outlived its trigger must not lead to another trigger of the same name. */
function matching(trigger: TriggerRecord | undefined, domainPrefix: string): TriggerRecord | undefined {
  return trigger !== undefined && domainPrefixOf(trigger.config) === domainPrefix ? trigger : undefined;
}
