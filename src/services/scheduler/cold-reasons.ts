import { LRUCache } from 'lru-cache';
import type { ExitReason } from '../../core/domain/instance.ts';
import type { ColdReason } from '../../core/domain/invocation.ts';
import type { VersionState } from './state.ts';

interface LastEnd {
  readonly versionKey: string;
  readonly reason: ColdReason;
}

/** Functions whose last end is remembered; one that was forgotten counts as never called. */
const REMEMBERED = 20_000;

/**
 * Why a call met no warm instance: from what else the version has now, or else from how the function's last instance ended.
 * A server that has just started knows no ends: to it a function without instances is on its first call.
 */
export class ColdReasons {
  private readonly ends = new LRUCache<string, LastEnd>({ max: REMEMBERED });

  /** The scheduler stops an instance: because its time was up (`timer`), or for something else's sake. */
  stopped(version: VersionState, why: 'timer' | 'room'): void {
    const reason = version.retired ? 'updated' : why === 'timer' ? 'expired' : 'evicted';
    this.ends.set(version.function.key, { versionKey: version.shape.key, reason });
  }

  /** An instance ended; one that the scheduler stopped has told its reason before. */
  exited(functionKey: string, versionKey: string, exit: ExitReason): void {
    if (exit !== 'stopped') this.ends.set(functionKey, { versionKey, reason: 'crashed' });
  }

  /** For an instance of this version that is about to be started and is counted already. */
  reasonFor(version: VersionState): ColdReason {
    if (version.instances.size > 1) return 'scaled out';
    const last = this.ends.get(version.function.key);
    if (last === undefined) {
      for (const other of version.function.versions)
        if (other !== version && other.instances.size > 0) return 'updated';
      return 'first call';
    }
    return last.versionKey === version.shape.key ? last.reason : 'updated';
  }
}
