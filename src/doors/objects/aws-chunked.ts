import { createHash, type Hash } from 'node:crypto';
import { TidemillError } from '../../core/domain/errors.ts';
import { EMPTY_SHA256, hmac, sameText, sha256Hex, signatureMismatch } from './signature.ts';

const LINE_BYTES = 1024;
const TRAILER_LINES = 16;

/** Checks the chain of chunk signatures; each call throws SignatureNotMatch when it is broken. */
export interface ChunkSignatures {
  chunk(signature: string, dataSha256: string): void;
  trailer(signature: string, canonicalTrailer: string): void;
}

/** The chain of `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`: each chunk's signature covers the one before, from the request's own. */
export class AwsChunkSignatures implements ChunkSignatures {
  private readonly signingKey: Buffer;
  private readonly time: string;
  private readonly scope: string;
  private previous: string;

  constructor(options: { signingKey: Buffer; time: string; scope: string; seed: string }) {
    this.signingKey = options.signingKey;
    this.time = options.time;
    this.scope = options.scope;
    this.previous = options.seed;
  }

  chunk(signature: string, dataSha256: string): void {
    this.check(signature, 'AWS4-HMAC-SHA256-PAYLOAD', [EMPTY_SHA256, dataSha256]);
  }

  trailer(signature: string, canonicalTrailer: string): void {
    this.check(signature, 'AWS4-HMAC-SHA256-TRAILER', [sha256Hex(canonicalTrailer)]);
  }

  private check(signature: string, algorithm: string, hashes: readonly string[]): void {
    const text = [algorithm, this.time, this.scope, this.previous, ...hashes].join('\n');
    const expected = hmac('sha256', this.signingKey, text).toString('hex');
    if (!sameText(expected, signature)) throw signatureMismatch();
    this.previous = expected;
  }
}

type State = 'size' | 'data' | 'data-end' | 'trailer' | 'done';

/**
 * Undoes the content coding `aws-chunked`: `SIZE[;chunk-signature=HEX] CRLF bytes CRLF ... 0 CRLF [trailers] CRLF`. Input may
 * be cut anywhere. Throws InvalidArgument or IncompleteBody on malformed input, SignatureNotMatch on a broken chain; what it
 * gave out before must not be kept then.
 */
export class AwsChunkedParser {
  /** Names in lower case; complete after `finish`. */
  readonly trailers = new Map<string, string>();
  private readonly signatures: ChunkSignatures | undefined;
  private state: State = 'size';
  private line = '';
  private remaining = 0;
  private chunkSignature = '';
  private hash: Hash | undefined;
  private trailerText = '';

  constructor(signatures: ChunkSignatures | undefined) {
    this.signatures = signatures;
  }

  /** The data bytes in `input`, as views on it. */
  push(input: Uint8Array): Uint8Array[] {
    const data: Uint8Array[] = [];
    let offset = 0;
    while (offset < input.length) {
      if (this.state === 'done') throw malformed('bytes follow its end');
      if (this.state !== 'data') {
        offset = this.readLine(input, offset);
        continue;
      }
      const piece = input.subarray(offset, offset + this.remaining);
      this.hash?.update(piece);
      data.push(piece);
      offset += piece.length;
      this.remaining -= piece.length;
      if (this.remaining === 0) this.state = 'data-end';
    }
    return data;
  }

  /** Call at the end of the input. */
  finish(): void {
    if (this.state !== 'done') {
      throw new TidemillError('IncompleteBody', 'The aws-chunked body ends before its last chunk');
    }
  }

  private readLine(input: Uint8Array, start: number): number {
    const newline = input.indexOf(10, start);
    const end = newline === -1 ? input.length : newline + 1;
    if (this.line.length + end - start > LINE_BYTES) throw malformed(`a line is longer than ${LINE_BYTES} bytes`);
    this.line += Buffer.from(input.buffer, input.byteOffset + start, end - start).toString('latin1');
    if (newline === -1) return end;
    // The documentation's own example ends trailer lines with a bare line feed.
    const bare = this.state === 'trailer' && !this.line.endsWith('\r\n');
    if (!bare && !this.line.endsWith('\r\n')) throw malformed('a line does not end with CRLF');
    const line = this.line.slice(0, bare ? -1 : -2);
    this.line = '';
    this.takeLine(line);
    return end;
  }

  private takeLine(line: string): void {
    if (this.state === 'data-end') {
      if (line !== '') throw malformed('a chunk is longer than its size');
      this.signatures?.chunk(this.chunkSignature, this.hash?.digest('hex') ?? EMPTY_SHA256);
      this.state = 'size';
    } else if (this.state === 'size') {
      this.takeSize(line);
    } else {
      this.takeTrailer(line);
    }
  }

  private takeSize(line: string): void {
    const match = /^([0-9a-fA-F]{1,13})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line);
    if (match === null) throw malformed('a chunk does not begin with its size');
    const [, size = '', signature] = match;
    if (this.signatures !== undefined && signature === undefined) throw signatureMismatch();
    this.chunkSignature = signature ?? '';
    this.remaining = Number.parseInt(size, 16);
    if (this.remaining > 0) {
      this.hash = this.signatures === undefined ? undefined : createHash('sha256');
      this.state = 'data';
      return;
    }
    this.signatures?.chunk(this.chunkSignature, EMPTY_SHA256);
    this.state = 'trailer';
  }

  private takeTrailer(line: string): void {
    if (line === '') {
      this.endTrailer();
      return;
    }
    const colon = line.indexOf(':');
    if (colon <= 0 || this.trailers.size >= TRAILER_LINES) throw malformed('its trailer is not `name:value` lines');
    const name = line.slice(0, colon).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    this.trailers.set(name, value);
    if (name !== 'x-amz-trailer-signature') this.trailerText += `${name}:${value}\n`;
  }

  private endTrailer(): void {
    if (this.signatures !== undefined && this.trailers.size > 0) {
      this.signatures.trailer(this.trailers.get('x-amz-trailer-signature') ?? '', this.trailerText);
    }
    this.state = 'done';
  }
}

function malformed(what: string): TidemillError {
  return new TidemillError('InvalidArgument', `The aws-chunked body is malformed: ${what}`);
}
