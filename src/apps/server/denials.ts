import type { Clock } from '../../core/base/clock.ts';
import type { Disposable } from '../../core/base/disposable.ts';
import type { AuditEntry } from '../../core/ports/audit-log.ts';

/** Denials alike within this time stand in one entry. */
const WINDOW_MS = 10_000;
/** So many kinds of denials are told apart within it; those beyond stand together. */
const KINDS = 1_000;

/**
 * Denials on their way to the audit log: the first of a kind at once, those like it within ten seconds as one more entry that counts
 * them. So nobody can fill the disk by being denied.
 */
export class Denials implements Disposable {
  private readonly clock: Clock;
  private readonly write: (entry: AuditEntry) => void;
  private readonly kinds = new Map<string, { readonly latest: AuditEntry; count: number }>();
  private timer: Disposable | undefined;

  constructor(clock: Clock, write: (entry: AuditEntry) => void) {
    this.clock = clock;
    this.write = write;
  }

  add(entry: AuditEntry): void {
    const { code, account, principal, accessKeyId, sourceIp, action } = entry;
    let kind = [code, account, principal, accessKeyId, sourceIp, action].join('\n');
    if (!this.kinds.has(kind) && this.kinds.size >= KINDS) kind = 'others';
    const known = this.kinds.get(kind);
    if (known === undefined) {
      this.kinds.set(kind, { latest: entry, count: 0 });
      this.write(kind === 'others' ? { ...entry, account: '', principal: '', accessKeyId: '' } : entry);
    } else this.kinds.set(kind, { latest: entry, count: known.count + 1 });
    this.timer ??= this.clock.after(WINDOW_MS, () => this.flush());
  }

  /** Writes what was counted. */
  dispose(): void {
    this.timer?.dispose();
    this.flush();
  }

  private flush(): void {
    this.timer = undefined;
    for (const { latest, count } of this.kinds.values()) if (count > 0) this.write({ ...latest, count });
    this.kinds.clear();
  }
}
