/** What travels from the queue's owner to its writer thread. Times are whole milliseconds; payloads go beside, in one buffer. */
export type QueueCall =
  | EnqueueCall
  | {
      readonly op: 'lease';
      readonly max: number;
      readonly leaseMs: number;
      readonly now: number;
      readonly skip: readonly string[];
    }
  | { readonly op: 'renew'; readonly id: string; readonly epoch: number; readonly expiresAt: number }
  | {
      readonly op: 'retry';
      readonly id: string;
      readonly epoch: number;
      readonly dueAt: number;
      readonly countAttempt: boolean;
    }
  | { readonly op: 'settle'; readonly id: string; readonly epoch: number; readonly now: number }
  | { readonly op: 'depth'; readonly key: string | undefined }
  | { readonly op: 'next-due' };

export interface EnqueueCall {
  readonly op: 'enqueue';
  readonly now: number;
  readonly events: readonly WireEvent[];
}

export interface WireEvent {
  readonly id: string;
  readonly key: string;
  readonly dueAt: number;
  /** JSON text. */
  readonly headers: string;
  /** Bytes of payload; payloads lie one after the other in the order of the events. */
  readonly size: number;
}

export interface WireLease {
  readonly id: string;
  readonly key: string;
  readonly headers: string;
  readonly acceptedAt: number;
  readonly attempts: number;
  readonly epoch: number;
  readonly expiresAt: number;
  /** Where the payload lies in the buffer that comes with the answers. */
  readonly offset: number;
  readonly size: number;
}

/** Copies the parts into one buffer of their total size, which can be transferred to another thread. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let size = 0;
  for (const part of parts) size += part.byteLength;
  const joined = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.byteLength;
  }
  return joined;
}
