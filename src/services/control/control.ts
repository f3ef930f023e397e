import type { Clock } from '../../core/base/clock.ts';
import { Emitter } from '../../core/base/emitter.ts';
import type { Random } from '../../core/base/random.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { AvailableRuntime } from '../../core/domain/runtime.ts';
import type { BlobStore } from '../../core/ports/blob-store.ts';
import type { AbortRequested, AccountUsage, Control } from '../../core/ports/control.ts';
import type { Quotas } from '../../core/ports/accounts.ts';
import type { MetadataStore } from '../../core/ports/metadata-store.ts';
import type { ReservedConfigs } from '../../core/ports/reserved-instances.ts';
import type { ObjectSource } from '../../core/ports/object-store.ts';
import { AccountUse } from './account-use.ts';
import { Aliases } from './aliases.ts';
import { AsyncConfigs } from './async-configs.ts';
import { DocumentCatalog } from './catalog.ts';
import { CodeIntake } from './code-intake.ts';
import { CodeReferences, type Removal } from './code-references.ts';
import { ConcurrencyConfigs } from './concurrency-configs.ts';
import { DocumentStore } from './document-store.ts';
import { FieldReader } from './fields.ts';
import { FunctionHeads } from './function-heads.ts';
import { listFunctions } from './function-list.ts';
import { Functions } from './functions.ts';
import { keys } from './keys.ts';
import { LayerUse } from './layer-use.ts';
import { Layers } from './layers.ts';
import { ProvisionConfigs, StoredReservedConfigs } from './provision-configs.ts';
import { Tags } from './tags.ts';
import { Triggers } from './triggers.ts';
import { Versions } from './versions.ts';

export interface ControlOptions {
  readonly store: MetadataStore;
  readonly blobs: BlobStore;
  readonly objects: ObjectSource;
  readonly clock: Clock;
  readonly random: Random;
  readonly region: string;
  readonly quotas: Pick<Quotas, 'of'>;
  /** What this installation can run; others are refused with this list as the remedy. */
  readonly runtimes: readonly AvailableRuntime[];
  /** Documents (functions, versions, aliases, triggers) kept in memory; default 50,000. */
  readonly cacheDocuments?: number;
}

export interface ControlService {
  readonly control: Control;
  readonly catalog: DocumentCatalog;
  /** Configs of reserved instances, for who keeps them. */
  readonly reservedConfigs: ReservedConfigs;
  /** What an account has of what quotas bound; the first answer for an account reads through all it has. */
  readonly usage: (account: string) => Promise<AccountUsage>;
  /** Ends the watches. Ports that were passed in stay open. */
  close(): void;
}

/**
 * Builds control and catalog over the ports. Resolves after deletions and deploys that a crash interrupted have been finished or
 * undone. One control per metadata store at a time.
 */
export async function createControl(options: ControlOptions): Promise<ControlService> {
  const documents = new DocumentStore(options.store, options.cacheDocuments ?? 50_000);
  const catalog = new DocumentCatalog(documents, options.region);
  const use = new AccountUse(documents, options.quotas);
  const parts = assemble(options, documents, use);
  await parts.references.recover((removal) => parts.finishRemoval(removal));
  return {
    control: toControl(parts),
    catalog,
    reservedConfigs: new StoredReservedConfigs(documents),
    usage: (account) => use.of(account),
    close() {
      use.dispose();
      catalog.dispose();
      documents.dispose();
    },
  };
}

interface Parts {
  readonly heads: FunctionHeads;
  readonly references: CodeReferences;
  readonly functions: Functions;
  readonly versions: Versions;
  readonly aliases: Aliases;
  readonly layers: Layers;
  readonly triggers: Triggers;
  readonly asyncConfigs: AsyncConfigs;
  readonly concurrency: ConcurrencyConfigs;
  readonly provision: ProvisionConfigs;
  readonly tags: Tags;
  readonly finishRemoval: (removal: Removal) => Promise<void>;
}

function assemble(options: ControlOptions, documents: DocumentStore, use: AccountUse): Parts {
  const { clock, random, region, runtimes } = options;
  const heads = new FunctionHeads(documents, region);
  const references = new CodeReferences(documents, options.blobs, random);
  const intake = new CodeIntake(options.objects);
  const triggers = new Triggers(heads, options.objects, clock, random);
  const removeChildren = (removal: Removal): Promise<void> => deleteChildren(documents, triggers, removal);
  const layerUse = new LayerUse(documents, region);
  return {
    heads,
    references,
    triggers,
    functions: new Functions({
      ...{ heads, intake, references, layerUse, runtimes, clock, random, removeChildren },
      use,
    }),
    versions: new Versions(heads, references, clock),
    aliases: new Aliases(heads, clock),
    layers: new Layers({ documents, intake, references, use, clock, region }),
    asyncConfigs: new AsyncConfigs(heads, clock),
    concurrency: new ConcurrencyConfigs(heads, options.quotas),
    provision: new ProvisionConfigs(heads, clock),
    tags: new Tags(heads),
    async finishRemoval(removal) {
      const head = await documents.read<{ record: { functionId: string } }>(
        keys.function(removal.account, removal.name),
      );
      // Killed before the head was deleted: the function was never removed.
      if (head?.value.record.functionId !== removal.functionId) await removeChildren(removal);
    },
  };
}

async function deleteChildren(documents: DocumentStore, triggers: Triggers, removal: Removal): Promise<void> {
  const { account, name, functionId } = removal;
  await triggers.removeAll(account, name, functionId);
  for (const prefix of [
    keys.aliases(account, name),
    keys.asyncConfigs(account, name),
    keys.reservedOfFunction(account, name),
    keys.versions(account, name),
  ]) {
    for await (const child of documents.scan<{ functionId: string }>(prefix)) {
      if (child.value.functionId === functionId) await documents.delete(child.key);
    }
  }
  const successor = await documents.read(keys.function(account, name));
  if (successor === undefined) await documents.delete(keys.concurrency(account, name));
}

/** The command interface, one method per operation, each handing on to the part that knows. */
function toControl(parts: Parts): Control {
  return { ...functionCommands(parts), ...layerCommands(parts), ...configCommands(parts) };
}

type LayerCommand = Extract<keyof Control, `${string}Layer${string}`>;
type ConfigCommand = Extract<keyof Control, `${string}${'Config' | 'Configs' | 'Trigger' | 'Triggers' | 'Resources'}`>;

function functionCommands(parts: Parts): Omit<Control, LayerCommand | ConfigCommand> {
  const { heads, functions, versions, aliases } = parts;
  const aborts = new Emitter<AbortRequested>();
  return {
    createFunction: (account, input) => functions.create(account, input),
    getFunction: (account, name, qualifier) => heads.view(account, name, qualifier),
    updateFunction: (account, name, input) => functions.update(account, name, input),
    deleteFunction: (account, name) => functions.delete(account, name),
    listFunctions: (account, query) => listFunctions(heads, account, query),
    functionCode: async (account, name, qualifier) => (await heads.view(account, name, qualifier)).code,
    enableInvocation: (account, name) => functions.setRestriction(account, name, undefined),
    async disableInvocation(account, name, input) {
      const reader = new FieldReader(input);
      const reason = reader.string('reason', { max: LIMITS.descriptionLength }) ?? '';
      const abort = reader.boolean('abortOngoingRequest') ?? false;
      reader.done();
      await functions.setRestriction(account, name, reason);
      if (abort) aborts.emit({ account, functionName: name, reason });
    },
    onAbortRequested: (listener) => aborts.subscribe(listener),
    publishVersion: (account, name, input) => versions.publish(account, name, input),
    listVersions: (account, name, query) => versions.list(account, name, query),
    deleteVersion: (account, name, versionId) => versions.delete(account, name, versionId),
    createAlias: (account, name, input) => aliases.create(account, name, input),
    getAlias: (account, name, aliasName) => aliases.get(account, name, aliasName),
    updateAlias: (account, name, aliasName, input) => aliases.update(account, name, aliasName, input),
    deleteAlias: (account, name, aliasName) => aliases.delete(account, name, aliasName),
    listAliases: (account, name, query) => aliases.list(account, name, query),
  };
}

function layerCommands({ layers }: Parts): Pick<Control, LayerCommand> {
  return {
    createLayerVersion: (account, layerName, input) => layers.create(account, layerName, input),
    getLayerVersion: (account, layerName, version) => layers.get(account, layerName, version),
    getLayerVersionByArn: (account, arn) => layers.getByArn(account, arn),
    deleteLayerVersion: (account, layerName, version) => layers.delete(account, layerName, version),
    listLayerVersions: (account, layerName, query) => layers.listVersions(account, layerName, query),
    listLayers: (account, query) => layers.list(account, query),
    putLayerAcl: (account, layerName, acl) => layers.putAcl(account, layerName, acl),
  };
}

function configCommands(parts: Parts): Pick<Control, ConfigCommand> {
  const { triggers, asyncConfigs, concurrency, provision, tags } = parts;
  return {
    createTrigger: (account, name, input, lineage) => triggers.create(account, name, input, lineage),
    getTrigger: (account, name, triggerName) => triggers.get(account, name, triggerName),
    updateTrigger: (account, name, triggerName, input, lineage) =>
      triggers.update(account, name, triggerName, input, lineage),
    deleteTrigger: (account, name, triggerName) => triggers.delete(account, name, triggerName),
    listTriggers: (account, name, query) => triggers.list(account, name, query),
    putAsyncConfig: (account, name, qualifier, input) => asyncConfigs.put(account, name, qualifier, input),
    getAsyncConfig: (account, name, qualifier) => asyncConfigs.get(account, name, qualifier),
    deleteAsyncConfig: (account, name, qualifier) => asyncConfigs.delete(account, name, qualifier),
    listAsyncConfigs: (account, functionName, query) => asyncConfigs.list(account, functionName, query),
    putConcurrencyConfig: (account, name, input) => concurrency.put(account, name, input),
    getConcurrencyConfig: (account, name) => concurrency.get(account, name),
    deleteConcurrencyConfig: (account, name) => concurrency.delete(account, name),
    listConcurrencyConfigs: (account, functionName, query) => concurrency.list(account, functionName, query),
    ...reservedCommands(provision),
    tagResources: (account, request) => tags.tag(account, request),
    untagResources: (account, request) => tags.untag(account, request),
    listTagResources: (account, request, query) => tags.list(account, request, query),
  };
}

type ReservedCommand = Extract<keyof Control, `${string}${'Provision' | 'Scaling'}${string}`>;

/** Two dialects of one thing. */
function reservedCommands(configs: ProvisionConfigs): Pick<Control, ReservedCommand> {
  return {
    putProvisionConfig: (account, name, qualifier, input) => configs.put('provision', account, name, qualifier, input),
    getProvisionConfig: (account, name, qualifier) => configs.get('provision', account, name, qualifier),
    deleteProvisionConfig: (account, name, qualifier) => configs.delete('provision', account, name, qualifier),
    listProvisionConfigs: (account, functionName, query) => configs.list('provision', account, functionName, query),
    putScalingConfig: (account, name, qualifier, input) => configs.put('scaling', account, name, qualifier, input),
    getScalingConfig: (account, name, qualifier) => configs.get('scaling', account, name, qualifier),
    deleteScalingConfig: (account, name, qualifier) => configs.delete('scaling', account, name, qualifier),
    listScalingConfigs: (account, functionName, query) => configs.list('scaling', account, functionName, query),
  };
}
