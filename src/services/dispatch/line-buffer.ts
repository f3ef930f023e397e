const LONGEST_LINE = 64 * 1024;

/** Collects output that is cut anywhere and gives it on in whole lines, several at once, without the last newline. */
export class LineBuffer {
  private partial = '';
  private readonly write: (lines: string) => void;

  constructor(write: (lines: string) => void) {
    this.write = write;
  }

  push(text: string): void {
    const end = text.lastIndexOf('\n');
    if (end === -1) {
      this.partial += text;
      if (this.partial.length > LONGEST_LINE) this.flush();
      return;
    }
    this.write(this.partial + text.slice(0, end));
    this.partial = text.slice(end + 1);
  }

  /** What is left without a newline. */
  flush(): void {
    if (this.partial === '') return;
    this.write(this.partial);
    this.partial = '';
  }
}
