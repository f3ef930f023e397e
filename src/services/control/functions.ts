import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../core/base/clock.ts';
import { newUuid } from '../../core/base/ids.ts';
import type { Random } from '../../core/base/random.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { CodePackage, FunctionConfig, FunctionRecord } from '../../core/domain/function.ts';
import type { AvailableRuntime } from '../../core/domain/runtime.ts';
import { blobId } from '../../core/ports/blob-store.ts';
import type { FunctionView, Input } from '../../core/ports/control.ts';
import type { AccountUse } from './account-use.ts';
import type { CodeIntake, IncomingCode } from './code-intake.ts';
import type { CodeReferences, Removal } from './code-references.ts';
import { blobsOf, type FunctionDocument, type VersionDocument } from './documents.ts';
import { FieldReader, invalid } from './fields.ts';
import { functionNotFound, type FunctionHeads, refuseLostUpdate } from './function-heads.ts';
import { type ConfigPatch, type FunctionRequest, readFunctionInput } from './function-input.ts';
import { checkConfig, createConfig, mergeConfig } from './function-rules.ts';
import { keys } from './keys.ts';
import type { LayerUse } from './layer-use.ts';
import { checkName } from './names.ts';
import { refuseReserved } from './provision-configs.ts';
import { readTags } from './tag-rules.ts';

interface FunctionsOptions {
  readonly heads: FunctionHeads;
  readonly intake: CodeIntake;
  readonly references: CodeReferences;
  readonly layerUse: LayerUse;
  readonly runtimes: readonly AvailableRuntime[];
  readonly clock: Clock;
  readonly random: Random;
  readonly use: AccountUse;
  /** Deletes everything below a function that carries its id, triggers included. */
  readonly removeChildren: (removal: Removal) => Promise<void>;
}

/** Create, update and delete of functions (FC reference 1.1, 3.1). */
export class Functions {
  private readonly options: FunctionsOptions;

  constructor(options: FunctionsOptions) {
    this.options = options;
  }

  async create(account: string, input: Input): Promise<FunctionView> {
    const { heads, intake } = this.options;
    const reader = new FieldReader(input);
    const name = checkName('functionName', reader.raw('functionName'));
    const tags = readTags('tags', reader.raw('tags') ?? []);
    const resourceGroupId = reader.string('resourceGroupId', { max: 128 });
    const { patch, code } = readFunctionInput(reader);
    reader.done();
    const config = createConfig(patch);
    checkConfig(config, this.options.runtimes);
    if (code === undefined) throw invalid('code', 'is required but not provided', 'Send the zip as code.zipFile.');
    const layers = await this.options.layerUse.resolve(account, config, []);
    await this.refuseExisting(account, name);
    return intake.take(account, code, async (incoming) => {
      const now = this.options.clock.now();
      const record: FunctionRecord = {
        account,
        name,
        functionId: newUuid(this.options.random),
        config,
        code: incoming.package,
        tags,
        createdTime: now,
        lastModifiedTime: now,
        generation: 1,
        lastVersionId: 0,
        lastPublishedGeneration: 0,
        ...(resourceGroupId === undefined || resourceGroupId === '' ? {} : { resourceGroupId }),
      };
      const wanted = { functions: 1, code: incoming.package };
      return this.options.use.admit(account, wanted, async () =>
        heads.headView(await this.insert({ record, layers }, incoming)),
      );
    });
  }

  private async refuseExisting(account: string, name: string): Promise<void> {
    const there = await this.options.heads.documents.read(keys.function(account, name));
    if (there !== undefined) throw alreadyExists(name);
  }

  private insert(document: FunctionDocument, incoming: IncomingCode): Promise<FunctionDocument> {
    const { heads, references } = this.options;
    const { account, name } = document.record;
    const owner = keys.function(account, name);
    return references.change({ owner, taken: taken(document, incoming), dropped: [] }, () =>
      heads.locked(account, name, async () => {
        const written = await heads.documents.put(owner, document, 0);
        if (!written.ok) throw alreadyExists(name);
        return document;
      }),
    );
  }

  async update(account: string, name: string, input: Input): Promise<FunctionView> {
    const base = (await this.options.heads.read(account, name)).value;
    const reader = new FieldReader(input);
    // Clients send the name, and sometimes what they read, back with the changes: the same value changes nothing.
    const named = reader.raw('functionName');
    if (named !== undefined && named !== name)
      throw invalid('functionName', 'cannot be changed', 'Create a new function.');
    reader.refuse('tags', 'Use TagResources and UntagResources to change tags.', (value) => value === undefined);
    const request = readFunctionInput(reader);
    reader.done();
    // Wrong settings are refused before a package is read.
    checkConfig(mergeConfig(base.record.config, request.patch), this.options.runtimes);
    const { code } = request;
    if (code === undefined) return this.apply(base, request, undefined);
    return this.options.intake.take(account, code, (incoming) =>
      this.options.use.admit(account, { code: incoming.package }, () => this.apply(base, request, incoming)),
    );
  }

  private async apply(
    base: FunctionDocument,
    request: FunctionRequest,
    incoming: IncomingCode | undefined,
  ): Promise<FunctionView> {
    const { heads, layerUse, references } = this.options;
    const { account, name } = base.record;
    const wanted = mergeConfig(base.record.config, request.patch);
    const layers = await layerUse.resolve(account, wanted, base.layers);
    const goal: FunctionDocument = {
      record: { ...base.record, config: wanted, code: incoming?.package ?? base.record.code },
      layers,
    };
    const write = () =>
      heads.locked(account, name, () =>
        heads.change(account, name, (current) => this.next(current, base, goal, request.patch, incoming?.package)),
      );
    const goalBlobs = blobsOf(goal);
    const baseBlobs = blobsOf(base);
    const same = incoming === undefined && isDeepStrictEqual(goalBlobs, baseBlobs);
    if (same) return heads.headView(await write());
    const owner = keys.function(account, name);
    return heads.headView(await references.change({ owner, taken: taken(goal, incoming), dropped: baseBlobs }, write));
  }

  /** The head after this update, from whatever it is now. */
  private next(
    current: FunctionDocument,
    base: FunctionDocument,
    goal: FunctionDocument,
    patch: ConfigPatch,
    code: CodePackage | undefined,
  ): FunctionDocument | undefined {
    const { name } = base.record;
    if (current.record.functionId !== base.record.functionId) throw functionNotFound(name);
    refuseLostUpdate(
      name,
      touchedFields(patch, base, goal),
      base.record.config,
      current.record.config,
      goal.record.config,
    );
    const others = [base.record.code.digest, goal.record.code.digest];
    if (code !== undefined && !others.includes(current.record.code.digest)) {
      throw new TidemillError('ConcurrentUpdateError', `code of function '${name}' was changed by another update`);
    }
    const config = mergeConfig(current.record.config, patch);
    // The fields of another writer may not go with ours.
    checkConfig(config, this.options.runtimes);
    const layers = isDeepStrictEqual(config.layers, goal.record.config.layers) ? goal.layers : current.layers;
    this.options.layerUse.check(config, layers);
    const nextCode = code ?? current.record.code;
    const unchanged =
      isDeepStrictEqual(config, current.record.config) && nextCode.digest === current.record.code.digest;
    return {
      layers,
      record: {
        ...current.record,
        config,
        code: nextCode,
        generation: current.record.generation + (unchanged ? 0 : 1),
        lastModifiedTime: this.options.clock.now(),
      },
    };
  }

  async delete(account: string, name: string): Promise<void> {
    const { heads, references } = this.options;
    await heads.exclusive(account, name, async (head) => {
      await refuseReserved(heads.documents, head);
      const { functionId } = head.value.record;
      const blobs = blobsOf(head.value);
      for await (const version of heads.documents.scan<VersionDocument>(keys.versions(account, name))) {
        blobs.push(...blobsOf(version.value));
      }
      const removal = { account, name, functionId };
      const owners = [head.key, keys.versions(account, name)];
      await references.drop({ blobs, owners, removal }, async () => {
        await this.deleteHead(account, name, functionId);
        await this.options.removeChildren(removal);
      });
    });
  }

  /** From here on the function does not exist for anyone; what stands below it is invisible. */
  private async deleteHead(account: string, name: string, functionId: string): Promise<void> {
    const { heads } = this.options;
    for (;;) {
      const head = await heads.read(account, name);
      if (head.value.record.functionId !== functionId) throw functionNotFound(name);
      if ((await heads.documents.delete(head.key, head.revision)).ok) return;
    }
  }

  async setRestriction(account: string, name: string, reason: string | undefined): Promise<void> {
    const now = this.options.clock.now();
    await this.options.heads.change(account, name, ({ record, layers }) => {
      const { invocationRestriction: before, ...rest } = record;
      if (reason === undefined) return before === undefined ? undefined : { layers, record: rest };
      return { layers, record: { ...rest, invocationRestriction: { disable: true, reason, lastModifiedTime: now } } };
    });
  }
}

function alreadyExists(name: string): TidemillError {
  return new TidemillError('FunctionAlreadyExists', `function '${name}' already exists`);
}

function taken(document: FunctionDocument, incoming: IncomingCode | undefined): { id: string; bytes?: Uint8Array }[] {
  return blobsOf(document).map((id) =>
    incoming !== undefined && id === blobId(incoming.package) ? { id, bytes: incoming.bytes } : { id },
  );
}

/** Configuration fields that this update is about, derived ones included. */
function touchedFields(patch: ConfigPatch, base: FunctionDocument, goal: FunctionDocument): (keyof FunctionConfig)[] {
  const touched = new Set<keyof FunctionConfig>();
  const { initializerHook, preStopHook, ...plain } = patch;
  for (const key of Object.keys(plain)) touched.add(key as keyof FunctionConfig);
  if (initializerHook !== undefined) touched.add('initializer');
  if (preStopHook !== undefined) touched.add('preStop');
  if (goal.record.config.cpu !== base.record.config.cpu) touched.add('cpu');
  return [...touched];
}
