import { join } from 'node:path';
import { openMetadataStore } from '../../../src/adapters/store-sqlite/index.ts';

const path = join(process.argv[2] ?? '', 'meta.db');
const store = await openMetadataStore({ path });
const written: string[] = [];
let failure = '';
for (let n = 0; failure === ''; n++) {
  const key = `k/${n}`;
  const result = await store.put(key, 'x'.repeat(20_000)).catch((error: unknown) => {
    failure = String(error);
    return undefined;
  });
  if (result?.ok) written.push(key);
}
const readable = (await store.list('k/')).map((entry) => entry.key);
await store.close();
process.stdout.write(JSON.stringify({ failure, written: written.toSorted(), readable }));
