import { createHash, type Hash, hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TidemillError } from '../../core/domain/errors.ts';

const NOTHING = Buffer.alloc(0);

/** True when the request line promises a body (chunked, or a length above 0). */
export function hasBody(req: IncomingMessage): boolean {
  if (req.headers['transfer-encoding'] !== undefined) return true;
  const length = req.headers['content-length'];
  return length !== undefined && length !== '0';
}

/**
 * The whole body as one buffer. `limit` (bytes) holds while it streams in: nothing above it is kept, the rest is read and
 * dropped so that the client sees the answer. With `sha256` (lower-case hex) the bytes must have that hash.
 * Rejects with EntityTooLarge, SignatureNotMatch, or ClientClosedRequest when the client goes away first.
 */
export async function readBody(req: IncomingMessage, limit: number, sha256?: string): Promise<Buffer> {
  refuseAnnounced(req, limit);
  const body = hasBody(req) ? await collect(req, limit, sha256 !== undefined) : { bytes: NOTHING, sha256: undefined };
  if (sha256 !== undefined && sha256 !== (body.sha256 ?? hash('sha256', body.bytes))) throw otherBytes();
  return body.bytes;
}

/** What `readBody` promises, for bytes that are all there. */
export function checkedBody(bytes: Buffer, limit: number, sha256: string | undefined): Buffer {
  if (bytes.length > limit) throw tooLarge(limit);
  if (sha256 !== undefined && sha256 !== hash('sha256', bytes)) throw otherBytes();
  return bytes;
}

/** Bodies of one chunk (nearly all) are hashed in one call by the caller; longer ones while they stream in. */
function collect(req: IncomingMessage, limit: number, hashed: boolean): Promise<{ bytes: Buffer; sha256?: string }> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let digest: Hash | undefined;
    let size = 0;
    let settled = false;
    const fail = (error: TidemillError): void => {
      settled = true;
      chunks.length = 0;
      reject(error);
    };
    req.on('data', (chunk: Buffer) => {
      if (settled) return;
      size += chunk.length;
      if (size > limit) return fail(tooLarge(limit));
      if (hashed && chunks[0] !== undefined) {
        digest ??= createHash('sha256').update(chunks[0]);
        digest.update(chunk);
      }
      chunks.push(chunk);
    });
    req.on('end', () => {
      if (settled) return;
      settled = true;
      const [first] = chunks;
      if (chunks.length === 1 && first !== undefined) return resolve({ bytes: first });
      const bytes = Buffer.concat(chunks, size);
      resolve(digest === undefined ? { bytes } : { bytes, sha256: digest.digest('hex') });
    });
    const gone = (): void => {
      if (!settled) fail(clientGone());
    };
    req.on('aborted', gone);
    req.on('error', gone);
  });
}

/** The body as a stream that fails with EntityTooLarge once it passes `limit`, and with ClientClosedRequest on a broken connection. */
export function streamBody(req: IncomingMessage, limit: number): AsyncIterable<Uint8Array> {
  refuseAnnounced(req, limit);
  return limited(req, limit);
}

async function* limited(req: IncomingMessage, limit: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  try {
    // the request must outlive a reader that stops early: the answer still travels on its socket
    for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) throw tooLarge(limit);
      yield chunk;
    }
  } catch (error) {
    if (error instanceof TidemillError) throw error;
    throw clientGone();
  } finally {
    req.resume();
  }
}

function refuseAnnounced(req: IncomingMessage, limit: number): void {
  const length = req.headers['content-length'];
  if (length !== undefined && Number(length) > limit) {
    req.resume();
    throw tooLarge(limit);
  }
}

function otherBytes(): TidemillError {
  return new TidemillError('SignatureNotMatch', 'The body does not have the hash that x-acs-content-sha256 announces', {
    remedy: 'Sign exactly the bytes that are sent; check that no proxy changes them.',
  });
}

function tooLarge(limit: number): TidemillError {
  return new TidemillError('EntityTooLarge', `payload size exceeds maximum allowed size (${limit} bytes)`);
}

export function clientGone(): TidemillError {
  return new TidemillError('ClientClosedRequest', 'The client closed the connection before the answer');
}
