import { randomBytes } from 'node:crypto';
import { openObjectStore } from '../../../src/adapters/objects-fs/store.ts';

/** Changes objects in every way that makes an event, until it is killed; prints `event name, key` once each has resolved. */
const dir = process.argv[2] ?? '';
const clock = { now: () => Date.now(), monotonic: () => performance.now(), after: () => ({ dispose() {} }) };
const random = { bytes: (count: number) => randomBytes(count), float: () => Math.random() };
const context = {
  account: '1',
  requestId: 'r',
  sourceIp: '',
  lineage: { hops: 1, rootRequestId: 'root', cause: 'object' as const },
};
const store = await openObjectStore({ dir, clock, random });
await store.createBucket('1', 'bucket', undefined);

async function* content(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

function told(eventName: string, ...keys: string[]): void {
  for (const key of keys) console.log(`${eventName} ${key}`);
}

async function change(worker: string): Promise<never> {
  const [put, posted, copied, composed] = ['put', 'post', 'copy', 'parts'].map((kind) => `${worker}/${kind}`) as [
    string,
    string,
    string,
    string,
  ];
  for (let n = 0; ; n++) {
    const info = await store.put('bucket', put, content(`${n}`), { eventName: 'ObjectCreated:PutObject' }, context);
    told('ObjectCreated:PutObject', put);
    await store.put('bucket', posted, content(`form ${n}`), { eventName: 'ObjectCreated:PostObject' }, context);
    told('ObjectCreated:PostObject', posted);
    const source = { bucket: 'bucket', key: put, sourceEtag: info.etag };
    await store.copy(source, { bucket: 'bucket', key: copied }, {}, context);
    told('ObjectCreated:CopyObject', copied);
    const upload = await store.createUpload('bucket', composed, {});
    const parts = [
      await store.putPart(upload, 1, content(`first ${n}`), {}),
      await store.putPart(upload, 2, content(`second ${n}`), {}),
    ];
    await store.completeUpload(upload, parts, { minPartBytes: 0 }, context);
    told('ObjectCreated:CompleteMultipartUpload', composed);
    await store.remove('bucket', [put], 'ObjectRemoved:DeleteObject', context);
    told('ObjectRemoved:DeleteObject', put);
    // one that is not there has no event
    await store.remove('bucket', [posted, copied, `${worker}/none`], 'ObjectRemoved:DeleteObjects', context);
    told('ObjectRemoved:DeleteObjects', posted, copied);
  }
}

await Promise.all(['a', 'b', 'c'].map(change));
