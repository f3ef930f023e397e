/** Keeps the newest bytes written to it, at most `limit`, and gives them as text cut at a character boundary. */
export class OutputTail {
  private chunks: Uint8Array[] = [];
  private bytes = 0;
  private cut = false;
  private readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  push(chunk: Uint8Array): void {
    // A copy: the caller may reuse its buffer, and a slice would keep a large one alive.
    const kept = Uint8Array.from(chunk.length > this.limit ? chunk.subarray(chunk.length - this.limit) : chunk);
    this.chunks.push(kept);
    this.bytes += kept.length;
    if (chunk.length > this.limit || this.bytes > this.limit) this.cut = true;
    while (this.chunks.length > 1 && this.bytes - this.chunks[0]!.length >= this.limit) {
      this.bytes -= this.chunks.shift()!.length;
    }
  }

  text(): string {
    const joined = Buffer.concat(this.chunks, this.bytes);
    let start = Math.max(0, joined.length - this.limit);
    while (this.cut && start < joined.length && (joined[start]! & 0xc0) === 0x80) start++;
    return joined.toString('utf8', start);
  }
}

/** Keeps the oldest bytes written to it, at most `limit`: what an instance wrote while it started. */
export class OutputHead {
  private chunks: Uint8Array[] = [];
  private left: number;

  constructor(limit: number) {
    this.left = limit;
  }

  /** From now on something written is missing in the text. */
  get full(): boolean {
    return this.left <= 0;
  }

  push(chunk: Uint8Array): void {
    if (this.left <= 0) return;
    const kept = Uint8Array.from(chunk.subarray(0, this.left));
    this.chunks.push(kept);
    this.left -= kept.length;
  }

  text(): string {
    const joined = Buffer.concat(this.chunks);
    let end = joined.length;
    if (this.left <= 0) {
      // Drop a character that the limit cut in two: its lead byte and what came of it.
      let lead = end - 1;
      while (lead > 0 && end - lead < 4 && (joined[lead]! & 0xc0) === 0x80) lead--;
      if (lead >= 0 && (joined[lead]! & 0xc0) === 0xc0 && end - lead < sequenceLength(joined[lead]!)) end = lead;
    }
    return joined.toString('utf8', 0, end);
  }
}

function sequenceLength(lead: number): number {
  if (lead >= 0xf0) return 4;
  return lead >= 0xe0 ? 3 : 2;
}
