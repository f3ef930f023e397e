import type { AliasRecord, AsyncInvokeConfigRecord, FunctionRecord, VersionRecord } from '../domain/function.ts';
import type { TriggerRecord } from '../domain/trigger.ts';
import type { VersionSpec } from '../domain/version-spec.ts';
import type { Disposable } from '../base/disposable.ts';

/**
 * What control knows about functions, for the parts that run them. Reads are from memory once warm; the catalog follows
 * the metadata store, so a resolved control call is visible to the next read on the same server.
 */
export interface Catalog {
  function(account: string, name: string): Promise<FunctionRecord | undefined>;
  version(account: string, name: string, versionId: string): Promise<VersionRecord | undefined>;
  alias(account: string, name: string, aliasName: string): Promise<AliasRecord | undefined>;
  /** The runnable form of LATEST (`versionId` 'LATEST') or a published version; memoised per key. */
  spec(account: string, name: string, versionId: string): Promise<VersionSpec | undefined>;
  asyncConfig(account: string, name: string, qualifier: string): Promise<AsyncInvokeConfigRecord | undefined>;
  /** The trigger with a URL (HTTP, or a webhook) behind a domain prefix. */
  httpTrigger(domainPrefix: string): Promise<TriggerRecord | undefined>;
  /** All triggers of a type, over all accounts: event sources start from this and follow `onTrigger`. */
  triggers(type: TriggerRecord['config']['type']): Promise<readonly TriggerRecord[]>;
  /** `key` is `ACCOUNT/FUNCTION/TRIGGER`; no trigger: it is gone. */
  onTrigger(
    listener: (change: { readonly key: string; readonly trigger: TriggerRecord | undefined }) => void,
  ): Disposable;
  /** A function's head, version, alias or limits changed or went away; instances of old specs drain. */
  onFunction(listener: (change: { readonly account: string; readonly name: string }) => void): Disposable;
}
