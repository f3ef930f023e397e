import { TidemillError } from '../../../src/core/domain/errors.ts';
import type { ObjectInfo, ObjectStore } from '../../../src/core/ports/object-store.ts';
import type { WebhookReply, WebhookSender } from '../../../src/core/ports/webhook-sender.ts';

/** A bucket `results` of account `acc`, and webhooks that answer as told. */
export class FakeDestinations implements Pick<ObjectStore, 'put' | 'bucket'>, WebhookSender {
  account = '';
  readonly objects = new Map<string, { readonly text: string; readonly hops: number | undefined }>();
  readonly posts: { readonly url: string; readonly text: string }[] = [];
  answer: (url: string) => Promise<WebhookReply> = async () => ({ status: 200, text: '' });

  async bucket(name: string) {
    if (name !== 'results') return undefined;
    return { name, account: this.account, createdAt: 0, acl: 'private' as const };
  }

  async put(...[bucket, key, body, , context]: Parameters<ObjectStore['put']>): Promise<ObjectInfo> {
    if (bucket !== 'results') throw new TidemillError('NoSuchBucket', `bucket '${bucket}' does not exist`);
    const pieces: Uint8Array[] = [];
    for await (const piece of body) pieces.push(piece);
    this.objects.set(key, { text: Buffer.concat(pieces).toString(), hops: context.lineage?.hops });
    return {
      bucket,
      key,
      size: 0,
      etag: '',
      crc64: '',
      contentType: '',
      systemHeaders: {},
      userMeta: {},
      lastModified: 0,
    };
  }

  async post(url: string, body: Uint8Array): Promise<WebhookReply> {
    this.posts.push({ url, text: Buffer.from(body).toString() });
    return await this.answer(url);
  }

  close(): void {}
}
