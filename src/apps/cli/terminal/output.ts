import { describe, type Failure } from '../failure.ts';

/**
 * What a command says. Answers go to stdout, everything about the way there to stderr. With `--json`, stdout carries one JSON
 * document (or one JSON object a line for streams) and nothing else.
 */
export class Output {
  readonly json: boolean;
  private readonly out: (text: string) => void;
  private readonly err: (text: string) => void;

  constructor(json: boolean, out: (text: string) => void, err: (text: string) => void) {
    this.json = json;
    this.out = out;
    this.err = err;
  }

  /** The answer of the command: `value` for programs, `text` for people. */
  answer(value: unknown, text: () => string): void {
    if (this.json) this.out(`${JSON.stringify(value, null, 2)}\n`);
    else this.out(withNewline(text()));
  }

  /** One item of a stream. */
  item(value: unknown, text: () => string): void {
    if (this.json) this.out(`${JSON.stringify(value)}\n`);
    else this.out(withNewline(text()));
  }

  /** Remarks for people; programs find them in the answer where they matter. */
  note(text: string): void {
    if (!this.json) this.err(withNewline(text));
  }

  failure(failure: Failure): void {
    if (this.json) this.out(`${JSON.stringify(failure.toJSON())}\n`);
    else this.err(describe(failure));
  }
}

function withNewline(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}
