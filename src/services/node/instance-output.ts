import { OutputLines } from './output-lines.ts';
import { OutputHead, OutputTail } from './output-tail.ts';

const LAST_OUTPUT_BYTES = 4 * 1024;
const START_LOG_BYTES = 64 * 1024;

/** Everything one sandbox writes: kept in part for messages and the start log, handed on in whole lines. */
export class InstanceOutputBuffer {
  private readonly tail = new OutputTail(LAST_OUTPUT_BYTES);
  private readonly head = new OutputHead(START_LOG_BYTES);
  private readonly lines = new OutputLines();
  private starting = true;
  private listener: ((text: string) => void) | undefined;
  /** Lines that nobody listened to and the start log does not tell. */
  private early: string[] = [];

  push(chunk: Uint8Array): void {
    this.tail.push(chunk);
    if (this.starting) this.head.push(chunk);
    this.emit(this.lines.push(chunk));
  }

  /** A line of the platform's own (FC reference 2.7); what the function had begun to write ends before it. */
  mark(line: string): void {
    this.emit(this.lines.end());
    this.push(Buffer.from(`${line}\r\n`));
  }

  /** From now on lines go to `listener`; of those from before first what the start log does not tell. */
  listen(listener: (text: string) => void): void {
    this.listener = listener;
    for (const text of this.early) listener(text);
    this.early = [];
  }

  /** The start is over: what comes now is no longer part of the start log. */
  started(): string {
    // A line that has begun is in the start log: only what is still to come of it is handed on.
    if (this.starting && !this.head.full) this.lines.end();
    this.starting = false;
    return this.head.text();
  }

  startLog(): string {
    return this.head.text();
  }

  /** No more output will come. */
  end(): void {
    this.emit(this.lines.end());
  }

  /** The newest 4 KB. */
  lastOutput(): string {
    return this.tail.text();
  }

  private emit(text: string | undefined): void {
    if (text === undefined) return;
    if (this.listener !== undefined) this.listener(text);
    else if ((!this.starting || this.head.full) && this.early.length < 100) this.early.push(text);
  }
}
