import type {
  AliasRecord,
  AsyncInvokeConfigRecord,
  CodePackage,
  FunctionRecord,
  LayerRecord,
  VersionRecord,
} from '../../core/domain/function.ts';
import type { ReservedConfigRecord } from '../../core/domain/reserved-config.ts';
import { blobId } from '../../core/ports/blob-store.ts';
import type { TriggerRecord } from '../../core/domain/trigger.ts';

/** A layer as a function took it: kept with the function, so that deleting the layer does not break who uses it. */
export interface UsedLayer {
  readonly arn: string;
  readonly code: CodePackage;
  readonly compatibleRuntime: readonly string[];
}

/** Head of a function, under `keys.function`. */
export interface FunctionDocument {
  readonly record: FunctionRecord;
  readonly layers: readonly UsedLayer[];
}

/**
 * Documents below a function carry the `functionId` of the function they were made for: after a function was deleted and
 * another made with the same name, leftovers of the first are not mistaken for parts of the second.
 */
interface Child {
  readonly functionId: string;
}

export interface VersionDocument extends Child {
  readonly record: VersionRecord;
  readonly layers: readonly UsedLayer[];
}

export interface AliasDocument extends Child {
  readonly record: AliasRecord;
}

export interface TriggerDocument extends Child {
  readonly record: TriggerRecord;
}

export interface AsyncConfigDocument extends Child {
  readonly record: AsyncInvokeConfigRecord;
}

export interface ReservedConfigDocument extends Child {
  readonly record: ReservedConfigRecord;
}

/** `public` of the record is not kept here but in the head, because it applies to all versions. */
export interface LayerVersionDocument {
  readonly record: LayerRecord;
}

export interface LayerDocument {
  readonly lastVersion: number;
  readonly public: boolean;
}

export interface DomainDocument {
  readonly account: string;
  readonly functionName: string;
  readonly triggerName: string;
}

export interface BucketRule {
  readonly account: string;
  readonly functionName: string;
  readonly triggerName: string;
  readonly triggerId: string;
  readonly events: readonly string[];
  readonly prefix: string;
  readonly suffix: string;
}

export interface BucketDocument {
  readonly rules: readonly BucketRule[];
}

/** Every blob that a document needs. */
export function blobsOf(document: { record: { code: CodePackage }; layers?: readonly UsedLayer[] }): string[] {
  return [blobId(document.record.code), ...(document.layers ?? []).map((layer) => blobId(layer.code))];
}
