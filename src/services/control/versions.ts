import type { Clock } from '../../core/base/clock.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { VersionRecord } from '../../core/domain/function.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { Input, ListVersionsQuery, Page } from '../../core/ports/control.ts';
import type { CodeReferences } from './code-references.ts';
import { type AliasDocument, blobsOf, type FunctionDocument, type VersionDocument } from './documents.ts';
import type { Document } from './document-store.ts';
import { FieldReader, invalid, shown } from './fields.ts';
import type { FunctionHeads } from './function-heads.ts';
import { keys } from './keys.ts';
import { pageLimit } from './paging.ts';

/** Immutable snapshots (FC reference 1.2). Ids grow, are never reused, and may have gaps. */
export class Versions {
  private readonly heads: FunctionHeads;
  private readonly references: CodeReferences;
  private readonly clock: Clock;

  constructor(heads: FunctionHeads, references: CodeReferences, clock: Clock) {
    this.heads = heads;
    this.references = references;
    this.clock = clock;
  }

  async publish(account: string, name: string, input: Input): Promise<VersionRecord> {
    const reader = new FieldReader(input);
    const description = reader.string('description', { max: LIMITS.descriptionLength }) ?? '';
    reader.done();
    for (;;) {
      const published = await this.heads.exclusive(account, name, (head) => this.publishHead(head, description));
      if (published !== undefined) return published;
    }
  }

  /**
   * Takes the next id by changing the head, then writes the snapshot. The swap on the head proves that the snapshot is of what is there
   * now. A crash between the two leaves a gap in the ids. Undefined: the head was changed meanwhile.
   */
  private async publishHead(head: Document<FunctionDocument>, description: string): Promise<VersionRecord | undefined> {
    const { record, layers } = head.value;
    const { account, name } = record;
    await this.refuseUnchanged(head);
    await this.refuseTooMany(account, name, record.lastVersionId);
    const versionId = String(record.lastVersionId + 1);
    const now = this.clock.now();
    const version: VersionRecord = {
      account,
      functionName: name,
      versionId,
      description,
      config: record.config,
      code: record.code,
      createdTime: now,
      lastModifiedTime: now,
    };
    const owner = keys.version(account, name, versionId);
    const document: VersionDocument = { functionId: record.functionId, record: version, layers };
    const taken = blobsOf(document).map((id) => ({ id }));
    return this.references.change({ owner, taken, dropped: [] }, async () => {
      const counted = {
        ...record,
        lastVersionId: record.lastVersionId + 1,
        lastPublishedGeneration: record.generation,
      };
      const swapped = await this.heads.documents.put(head.key, { layers, record: counted }, head.revision);
      if (!swapped.ok) return undefined;
      await this.heads.documents.put(owner, document);
      return version;
    });
  }

  private async refuseUnchanged({ value }: Document<FunctionDocument>): Promise<void> {
    const { account, name, functionId, generation, lastPublishedGeneration, lastVersionId } = value.record;
    if (generation !== lastPublishedGeneration) return;
    const key = keys.version(account, name, String(lastVersionId));
    const newest = await this.heads.documents.read<VersionDocument>(key);
    // The newest version may have been deleted, or its publishing interrupted: then there is something to publish.
    if (newest?.value.functionId !== functionId) return;
    throw new TidemillError(
      'InvalidArgument',
      `function '${name}' has not changed since version '${lastVersionId}' was published`,
      {
        remedy: 'Update code or configuration before publishing, or use the existing version.',
      },
    );
  }

  private async refuseTooMany(account: string, name: string, lastVersionId: number): Promise<void> {
    if (lastVersionId < LIMITS.versionsPerFunction) return;
    let count = 0;
    for await (const _ of this.heads.documents.scan(keys.versions(account, name))) count++;
    if (count < LIMITS.versionsPerFunction) return;
    throw new TidemillError(
      'LimitExceededError',
      `function '${name}' has ${count} versions, the limit is ${LIMITS.versionsPerFunction}`,
    );
  }

  async list(
    account: string,
    name: string,
    query: ListVersionsQuery,
  ): Promise<Page<VersionRecord> & { direction: 'BACKWARD' | 'FORWARD' }> {
    const limit = pageLimit(query.limit);
    const direction = query.direction === undefined || query.direction === '' ? 'BACKWARD' : query.direction;
    if (direction !== 'BACKWARD' && direction !== 'FORWARD') {
      throw invalid('direction', `must be BACKWARD or FORWARD, not ${shown(direction)}`);
    }
    const start = query.nextToken === '' ? undefined : query.nextToken;
    if (start !== undefined && !/^\d{1,9}$/.test(start)) {
      throw invalid('nextToken', `${shown(start)} is not a version id`, 'Use the nextToken of the page before.');
    }
    const head = await this.heads.read(account, name);
    const reverse = direction === 'BACKWARD';
    // `after` excludes its key: step one back so that the page starts at the version named.
    const after =
      start === undefined
        ? undefined
        : keys.version(account, name, String(Math.max(0, Number(start) + (reverse ? 1 : -1))));
    const found = await this.heads.documents.list<VersionDocument>(keys.versions(account, name), {
      reverse,
      limit: limit + 1,
      ...(after === undefined ? {} : { after }),
    });
    const own = found.filter(({ value }) => value.functionId === head.value.record.functionId);
    const items = own.slice(0, limit).map(({ value }) => value.record);
    const next = own[limit]?.value.record.versionId;
    return next === undefined ? { items, direction } : { items, direction, nextToken: next };
  }

  async delete(account: string, name: string, versionId: string): Promise<void> {
    if (versionId === 'LATEST')
      throw invalid('versionId', "'LATEST' cannot be deleted", 'Delete the function instead.');
    await this.heads.exclusive(account, name, async (head) => {
      const version = await this.heads.version(head, versionId);
      for await (const { value } of this.heads.documents.scan<AliasDocument>(keys.aliases(account, name))) {
        if (value.functionId !== head.value.record.functionId) continue;
        const { aliasName, versionId: main, additionalVersionWeight } = value.record;
        if (
          main !== version.value.record.versionId &&
          !Object.hasOwn(additionalVersionWeight, version.value.record.versionId)
        )
          continue;
        throw invalid(
          'versionId',
          `'${versionId}' is used by alias '${aliasName}'`,
          'Point the alias to another version, or delete it, first.',
        );
      }
      const document = version.value;
      await this.references.drop({ blobs: blobsOf(document), owners: [version.key] }, async () => {
        await this.heads.documents.delete(version.key);
        await this.heads.documents.delete(keys.asyncConfig(account, name, document.record.versionId));
      });
    });
  }
}
