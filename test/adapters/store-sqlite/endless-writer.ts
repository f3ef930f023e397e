import { openMetadataStore } from '../../../src/adapters/store-sqlite/index.ts';

const [, , path = '', start = '0'] = process.argv;
const store = await openMetadataStore({ path });
let next = Number(start);

async function writeOn(): Promise<never> {
  for (;;) {
    const n = next++;
    const result = await store.put(`crash/${n}`, n);
    if (result.ok) process.stdout.write(`crash/${n}\n`);
  }
}
await Promise.all(Array.from({ length: 16 }, writeOn));
