/** What the closing lines of a log tail report. */
export interface LogTailEnd {
  readonly requestId: string;
  readonly durationMs: number;
  readonly billedMs: number;
  readonly memorySizeMb: number;
  readonly maxMemoryMb: number;
  /** Why the call failed, for the End line. */
  readonly error?: string;
}

/**
 * The last part of one call's log in the form of FC reference 2.7. Keeps no more than about twice `limitBytes` however much
 * a function writes.
 */
export class LogTail {
  private readonly limitBytes: number;
  private text: string;

  constructor(limitBytes: number, requestId: string, startLog: string) {
    this.limitBytes = limitBytes;
    this.text = `${startLog}FC Invoke Start RequestId: ${requestId}\r\n`;
  }

  append(text: string): void {
    this.text += text;
    // One character is at least one byte: what is cut here could never be part of the tail.
    if (this.text.length > 4 * this.limitBytes) this.text = this.text.slice(-2 * this.limitBytes);
  }

  /** The whole tail with its closing lines, at most `limitBytes` of UTF-8; cut at the front, between characters. */
  finish(end: LogTailEnd): string {
    const { requestId, durationMs, billedMs, memorySizeMb, maxMemoryMb, error } = end;
    if (!this.text.endsWith('\n')) this.text += '\n';
    this.text += `FC Invoke End RequestId: ${requestId}${error === undefined ? '' : `, Error: ${error}`}\r\n`;
    this.text += `\nDuration: ${durationMs.toFixed(2)} ms, Billed Duration: ${billedMs} ms, Memory Size: ${memorySizeMb} MB, Max Memory Used: ${maxMemoryMb.toFixed(2)} MB`;
    return lastBytes(this.text, this.limitBytes);
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function lastBytes(text: string, limit: number): string {
  const bytes = encoder.encode(text);
  if (bytes.length <= limit) return text;
  let from = bytes.length - limit;
  // A continuation byte belongs to the character before.
  while (from < bytes.length && ((bytes[from] ?? 0) & 0xc0) === 0x80) from++;
  return decoder.decode(bytes.subarray(from));
}
