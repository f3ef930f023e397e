import type { IncomingMessage, ServerResponse } from 'node:http';
import { createHash } from 'node:crypto';
import { TidemillError } from '../../core/domain/errors.ts';
import type { ExpectedDigests } from '../../core/ports/object-store.ts';
import { AwsChunkedParser } from './aws-chunked.ts';
import { announcedChecksums, verifyChecksums } from './checksums.ts';
import type { ObjectsRequest } from './request.ts';
import type { Payload } from './signature.ts';

/** Largest object or part in one request: that of OSS and S3. */
export const MAX_PUT_BYTES = 5 * 1024 ** 3;
const MAX_XML_BYTES = 1024 * 1024;

/** The body of one request, decoded and verified while it streams. */
export class RequestBody {
  /** The `x-amz-checksum-` values verified; complete once the body has been read to its end. */
  verified: ReadonlyMap<string, string> = new Map();
  private readonly req: IncomingMessage;
  private readonly res: ServerResponse;
  private readonly request: ObjectsRequest;
  private readonly payload: Payload;
  private readonly awaitsContinue: boolean;

  constructor(
    exchange: { req: IncomingMessage; res: ServerResponse; awaitsContinue: boolean },
    request: ObjectsRequest,
    payload: Payload,
  ) {
    this.req = exchange.req;
    this.res = exchange.res;
    this.awaitsContinue = exchange.awaitsContinue;
    this.request = request;
    this.payload = payload;
  }

  /** What the store is to verify: Content-MD5 and the SHA-256 under the signature. */
  digests(): ExpectedDigests {
    const sha256 = this.payload.kind === 'plain' ? this.payload.sha256 : undefined;
    const md5 = this.contentMd5();
    return {
      ...(sha256 === undefined ? {} : { contentSha256: sha256 }),
      ...(md5 === undefined ? {} : { contentMd5: md5 }),
    };
  }

  /**
   * The bytes, at most `limit` of them (EntityTooLarge, before anything is read where the length is announced). Asks the
   * client to go on first, when it waits for that. Fails at its end when a checksum, a chunk signature or the length announced does not hold.
   */
  stream(limit: number = MAX_PUT_BYTES): AsyncGenerator<Uint8Array> {
    const announced = this.announcedLength();
    if (announced !== undefined && announced > limit) throw tooLarge(limit);
    return this.verify(this.decode(limit), announced);
  }

  /** The whole body as text, at most 1 MiB, with its digests verified. */
  async text(): Promise<string> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.stream(MAX_XML_BYTES)) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const { contentMd5, contentSha256 } = this.digests();
    if (contentMd5 !== undefined && !createHash('md5').update(bytes).digest().equals(contentMd5)) {
      throw new TidemillError('BadDigest', 'The Content-MD5 announced does not match the bytes received');
    }
    if (contentSha256 !== undefined && createHash('sha256').update(bytes).digest('hex') !== contentSha256) {
      throw new TidemillError('BadDigest', 'The SHA-256 announced does not match the bytes received');
    }
    return bytes.toString('utf8');
  }

  private contentMd5(): Buffer | undefined {
    const value = this.request.header('content-md5');
    if (value === undefined) return undefined;
    const bytes = Buffer.from(value, 'base64');
    if (bytes.length === 16) return bytes;
    throw new TidemillError('BadDigest', 'Content-MD5 is not the base64 of 16 bytes');
  }

  private announcedLength(): number | undefined {
    const name = this.payload.kind === 'chunked' ? 'x-amz-decoded-content-length' : 'content-length';
    const value = this.request.header(name);
    if (value === undefined) return undefined;
    if (!/^\d{1,15}$/.test(value)) throw new TidemillError('InvalidArgument', `${name} is not a number of bytes`);
    return Number(value);
  }

  private async *decode(limit: number): AsyncGenerator<Uint8Array> {
    const checksums = announcedChecksums(this.request);
    const parser = this.payload.kind === 'chunked' ? new AwsChunkedParser(this.payload.signatures) : undefined;
    let size = 0;
    for await (const chunk of this.receive()) {
      for (const piece of parser === undefined ? [chunk] : parser.push(chunk)) {
        size += piece.length;
        if (size > limit) throw tooLarge(limit);
        for (const { checksum } of checksums) checksum.update(piece);
        yield piece;
      }
    }
    parser?.finish();
    this.verified = verifyChecksums(checksums, parser?.trailers ?? new Map());
  }

  private async *verify(source: AsyncIterable<Uint8Array>, announced: number | undefined): AsyncGenerator<Uint8Array> {
    let size = 0;
    for await (const chunk of source) {
      size += chunk.length;
      yield chunk;
    }
    if (announced !== undefined && size !== announced) {
      throw new TidemillError('IncompleteBody', `The request announces ${announced} bytes and carries ${size}`);
    }
  }

  private async *receive(): AsyncGenerator<Uint8Array> {
    if (this.awaitsContinue) this.res.writeContinue();
    try {
      // The answer still travels on the request's socket when reading stops early.
      yield* this.req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
    } catch (error) {
      throw new TidemillError('ClientClosedRequest', 'The client closed the connection while sending', {
        cause: error,
      });
    }
  }
}

function tooLarge(limit: number): TidemillError {
  return new TidemillError('EntityTooLarge', `The body is larger than ${limit} bytes`);
}
