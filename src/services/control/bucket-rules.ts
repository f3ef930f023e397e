import { TidemillError } from '../../core/domain/errors.ts';
import type { BucketDocument, BucketRule, TriggerDocument } from './documents.ts';
import type { DocumentStore } from './document-store.ts';
import { invalid } from './fields.ts';
import { KeyedLock } from '../../core/base/keyed-lock.ts';
import { keys } from './keys.ts';
import { ossOverlap } from './trigger-config.ts';

/** Tries of a compare-and-swap on a bucket's rules. */
const TRIES = 32;

/**
 * Which object triggers a bucket has, in one document per bucket. A rule is written before its trigger and removed after it; one
 * whose trigger is gone (or was never written, after a crash) does not count. `exclusive` keeps the two writes together.
 */
export class BucketRules {
  private readonly documents: DocumentStore;
  private readonly locks = new KeyedLock();

  constructor(documents: DocumentStore) {
    this.documents = documents;
  }

  /** Writes of rules and their triggers on one bucket run one after the other within this process. */
  exclusive<T>(bucket: string, work: () => Promise<T>): Promise<T> {
    return this.locks.run(bucket, work);
  }

  /** Adds or replaces the rule of a trigger. Throws InvalidArgument when another trigger's rule overlaps. */
  async put(bucket: string, rule: BucketRule): Promise<void> {
    await this.change(bucket, async (rules) => {
      const others: BucketRule[] = [];
      for (const other of rules) {
        if (other.triggerId === rule.triggerId || !(await this.lives(other))) continue;
        if (ossOverlap(other, rule)) throw overlap(bucket, other);
        others.push(other);
      }
      return [...others, rule];
    });
  }

  async remove(bucket: string, triggerId: string): Promise<void> {
    await this.change(bucket, async (rules) => rules.filter((rule) => rule.triggerId !== triggerId));
  }

  private async lives(rule: BucketRule): Promise<boolean> {
    const key = keys.trigger(rule.account, rule.functionName, rule.triggerName);
    const trigger = await this.documents.read<TriggerDocument>(key);
    if (trigger?.value.record.triggerId !== rule.triggerId) return false;
    const head = await this.documents.read<{ record: { functionId: string } }>(
      keys.function(rule.account, rule.functionName),
    );
    return head?.value.record.functionId === trigger.value.functionId;
  }

  private async change(
    bucket: string,
    next: (rules: readonly BucketRule[]) => Promise<readonly BucketRule[]>,
  ): Promise<void> {
    const key = keys.bucket(bucket);
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const current = await this.documents.read<BucketDocument>(key);
      const rules = await next(current?.value.rules ?? []);
      const written =
        rules.length === 0
          ? await this.documents.delete(key, current?.revision ?? 0)
          : await this.documents.put(key, { rules }, current?.revision ?? 0);
      if (written.ok) return;
    }
    throw new TidemillError(
      'ConcurrentUpdateError',
      `the triggers of bucket '${bucket}' are being changed by many at once`,
    );
  }
}

function overlap(bucket: string, other: BucketRule): TidemillError {
  return invalid(
    'triggerConfig',
    `overlaps with trigger '${other.triggerName}' of function '${other.functionName}' on bucket '${bucket}': both would fire for the same object`,
    'Use another event, prefix or suffix, or delete the other trigger.',
  );
}
