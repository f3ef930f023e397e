import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { openBlobStore } from '../../../src/adapters/blobs-fs/index.ts';

const dir = join(process.argv[2] ?? '', 'blobs');
const store = await openBlobStore({ dir });
const { digest } = await store.put('1234567890123456', new Uint8Array(1000).fill(1));
const failure = await store.put('1234567890123456', new Uint8Array(5_000_000).fill(2)).then(
  () => 'none',
  (error: unknown) => String(error),
);
const kept = (await store.get(`1234567890123456/${digest}`))?.byteLength === 1000;
process.stdout.write(JSON.stringify({ failure, kept, leftovers: readdirSync(join(dir, 'incoming')).length }));
