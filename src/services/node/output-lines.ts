/** A line longer than this is handed on in pieces, so that output without newlines does not pile up. */
export const MAX_LINE_BYTES = 16 * 1024;

/**
 * Cuts raw output into whole lines. Chunks may end anywhere, also inside a UTF-8 character. Each `push` gives the complete
 * lines so far as one text without trailing newline, or undefined when there is none yet.
 */
export class OutputLines {
  private rest: Buffer = Buffer.alloc(0);

  push(chunk: Uint8Array): string | undefined {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const data = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    const newline = data.lastIndexOf(0x0a);
    let end = newline + 1;
    if (data.length - end > MAX_LINE_BYTES) end = characterBoundary(data);
    this.rest = Buffer.from(data.subarray(end));
    if (end === 0) return undefined;
    return data.toString('utf8', 0, end === newline + 1 ? newline : end);
  }

  /** The last line, when the writer is gone and no newline will come. */
  end(): string | undefined {
    const rest = this.rest;
    this.rest = Buffer.alloc(0);
    return rest.length === 0 ? undefined : rest.toString('utf8');
  }
}

/** The largest end not above the length that does not split a character. */
function characterBoundary(data: Buffer): number {
  let lead = data.length - 1;
  const lowest = Math.max(0, data.length - 4);
  while (lead > lowest && (data[lead]! & 0xc0) === 0x80) lead--;
  return (data[lead]! & 0xc0) === 0xc0 ? lead : data.length;
}
