import type { MetadataStore } from '../../core/ports/metadata-store.ts';

const KEY = 'server/epoch';

/**
 * The number of this server process: higher than that of every server before it. Leases carry it, so that answers and
 * orders of a server that was thought dead change nothing.
 */
export async function nextEpoch(store: MetadataStore): Promise<number> {
  for (;;) {
    const entry = await store.get(KEY);
    const epoch = (typeof entry?.value === 'number' ? entry.value : 0) + 1;
    const written = await store.put(KEY, epoch, entry?.revision ?? 0);
    if (written.ok) return epoch;
  }
}
