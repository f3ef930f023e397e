import { randomBytes } from 'node:crypto';
import { openObjectStore } from '../../../src/adapters/objects-fs/store.ts';

/** Writes, overwrites and removes objects until it is killed; prints a line for each change once it has resolved. */
const dir = process.argv[2] ?? '';
const clock = { now: () => Date.now(), monotonic: () => performance.now(), after: () => ({ dispose() {} }) };
const random = { bytes: (count: number) => randomBytes(count), float: () => Math.random() };
const context = { account: '1', requestId: 'r', sourceIp: '', lineage: undefined };
const store = await openObjectStore({ dir, clock, random });
await store.createBucket('1', 'bucket', undefined);

async function* content(text: string): AsyncGenerator<Uint8Array> {
  for (let part = 0; part < 20; part++) yield Buffer.from(text);
}

async function change(worker: number): Promise<never> {
  for (let n = 0; ; n++) {
    const key = `k${worker}`;
    await store.put('bucket', key, content(`${worker}:${n};`), { eventName: 'ObjectCreated:PutObject' }, context);
    console.log(`put ${key} ${n}`);
    if (n % 5 !== 4) continue;
    await store.remove('bucket', [key], 'ObjectRemoved:DeleteObject', context);
    console.log(`removed ${key} ${n}`);
  }
}

await Promise.all([0, 1, 2, 3].map(change));
