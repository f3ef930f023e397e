import type { Disposable } from '../../core/base/disposable.ts';
import type {
  AliasRecord,
  AsyncInvokeConfigRecord,
  FunctionRecord,
  VersionRecord,
} from '../../core/domain/function.ts';
import type { TriggerRecord } from '../../core/domain/trigger.ts';
import type { VersionSpec } from '../../core/domain/version-spec.ts';
import type { Catalog } from '../../core/ports/catalog.ts';

/**
 * The catalog as calls see it: where reserved instances are being replaced, the head or alias that still serves instead of the one that
 * was put last, so that a change meets no cold call. Everything else is the catalog's own.
 */
export class ServingCatalog implements Catalog {
  private readonly source: Catalog;
  private readonly heads = new Map<string, VersionSpec>();
  private readonly aliases = new Map<string, AliasRecord>();

  constructor(source: Catalog) {
    this.source = source;
  }

  serveHead(spec: VersionSpec): void {
    this.heads.set(`${spec.account}/${spec.functionName}`, spec);
  }

  serveAlias(alias: AliasRecord): void {
    this.aliases.set(`${alias.account}/${alias.functionName}/${alias.aliasName}`, alias);
  }

  /** From now on the catalog's own record serves. */
  release(account: string, name: string, qualifier: string): void {
    if (qualifier === 'LATEST') this.heads.delete(`${account}/${name}`);
    else this.aliases.delete(`${account}/${name}/${qualifier}`);
  }

  async spec(account: string, name: string, versionId: string): Promise<VersionSpec | undefined> {
    const newest = await this.source.spec(account, name, versionId);
    if (this.heads.size === 0 || versionId !== 'LATEST' || newest === undefined) return newest;
    return this.heads.get(`${account}/${name}`) ?? newest;
  }

  async alias(account: string, name: string, aliasName: string): Promise<AliasRecord | undefined> {
    const newest = await this.source.alias(account, name, aliasName);
    if (this.aliases.size === 0 || newest === undefined) return newest;
    return this.aliases.get(`${account}/${name}/${aliasName}`) ?? newest;
  }

  function(account: string, name: string): Promise<FunctionRecord | undefined> {
    return this.source.function(account, name);
  }

  version(account: string, name: string, versionId: string): Promise<VersionRecord | undefined> {
    return this.source.version(account, name, versionId);
  }

  asyncConfig(account: string, name: string, qualifier: string): Promise<AsyncInvokeConfigRecord | undefined> {
    return this.source.asyncConfig(account, name, qualifier);
  }

  httpTrigger(domainPrefix: string): Promise<TriggerRecord | undefined> {
    return this.source.httpTrigger(domainPrefix);
  }

  triggers(type: TriggerRecord['config']['type']): Promise<readonly TriggerRecord[]> {
    return this.source.triggers(type);
  }

  onTrigger(
    listener: (change: { readonly key: string; readonly trigger: TriggerRecord | undefined }) => void,
  ): Disposable {
    return this.source.onTrigger(listener);
  }

  onFunction(listener: (change: { readonly account: string; readonly name: string }) => void): Disposable {
    return this.source.onFunction(listener);
  }
}
