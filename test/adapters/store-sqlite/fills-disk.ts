import { join } from 'node:path';
import { openMetadataStore } from '../../../src/adapters/store-sqlite/index.ts';

const path = join(process.argv[2] ?? '', 'meta.db');
const store = await openMetadataStore({ path });
const written: string[] = [];
let failure = '';
try {
  for (let n = 0; ; n++) {
    const result = await store.put(`k/${n}`, 'x'.repeat(20_000));
    if (result.ok) written.push(`k/${n}`);
  }
} catch (error) {
  failure = String(error);
}
const readable = (await store.list('k/')).map((entry) => entry.key);
await store.close();
process.stdout.write(JSON.stringify({ failure, written: written.toSorted(), readable }));
