/**
 * 32-bit FNV-1a of a request id: a small index key that leads to a handful of rows, which are then compared in full.
 * Stored, so it must never change without a new schema version.
 */
export function hashRequestId(requestId: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < requestId.length; index++) {
    hash = Math.imul(hash ^ requestId.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
