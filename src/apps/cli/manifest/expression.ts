/** What may stand between `${` and `}` in a Serverless Devs file (FC reference 8.1). */
export type Expression =
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'path'; readonly names: readonly string[] }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] };

/**
 * Reads one expression: a quoted text, a dotted path (`vars.region`, `resources.a.props.b`, `this.props.x`) or a call
 * (`env('K', 'default')`, `json(file('x.json'))`). Throws an Error that says where it stopped making sense.
 */
export function parseExpression(source: string): Expression {
  const reader = new Reader(source);
  const expression = reader.expression();
  reader.end();
  return expression;
}

class Reader {
  private readonly source: string;
  private at = 0;

  constructor(source: string) {
    this.source = source;
  }

  expression(): Expression {
    this.space();
    const quote = this.source[this.at];
    if (quote === "'" || quote === '"') return { kind: 'text', value: this.quoted(quote) };
    const word = this.word();
    this.space();
    if (this.source[this.at] === '(') return { kind: 'call', name: word, args: this.args() };
    return { kind: 'path', names: word.split('.') };
  }

  end(): void {
    this.space();
    if (this.at < this.source.length) throw new Error(`'${this.source.slice(this.at)}' is left over`);
  }

  private args(): Expression[] {
    this.at++;
    const args: Expression[] = [];
    for (;;) {
      this.space();
      if (this.source[this.at] === ')') break;
      args.push(this.expression());
      this.space();
      if (this.source[this.at] === ',') this.at++;
      else if (this.source[this.at] !== ')') throw new Error("a ')' is missing");
    }
    this.at++;
    return args;
  }

  private quoted(quote: string): string {
    const end = this.source.indexOf(quote, this.at + 1);
    if (end < 0) throw new Error(`a closing ${quote} is missing`);
    const value = this.source.slice(this.at + 1, end);
    this.at = end + 1;
    return value;
  }

  private word(): string {
    const match = /^[^\s'"(),{}]+/.exec(this.source.slice(this.at));
    if (match === null)
      throw new Error(this.at < this.source.length ? `'${this.source.slice(this.at)}' is not expected` : 'it is empty');
    this.at += match[0].length;
    return match[0];
  }

  private space(): void {
    while (/\s/.test(this.source[this.at] ?? '')) this.at++;
  }
}

/** A text in pieces: plain parts and the sources of its `${...}`. `$${` is a plain `${`. */
export function splitText(text: string): readonly ({ readonly plain: string } | { readonly source: string })[] {
  const parts: ({ plain: string } | { source: string })[] = [];
  let plain = '';
  let at = 0;
  while (at < text.length) {
    if (text.startsWith('$${', at)) {
      plain += '${';
      at += 3;
    } else if (text.startsWith('${', at)) {
      const end = closingBrace(text, at + 2);
      if (end < 0) throw new Error(`'${text.slice(at)}' has no closing '}'`);
      if (plain !== '') parts.push({ plain });
      plain = '';
      parts.push({ source: text.slice(at + 2, end) });
      at = end + 1;
    } else plain += text[at++];
  }
  if (plain !== '' || parts.length === 0) parts.push({ plain });
  return parts;
}

/** Braces inside quotes belong to the quoted text. */
function closingBrace(text: string, from: number): number {
  let quote: string | undefined;
  for (let at = from; at < text.length; at++) {
    const character = text[at];
    if (quote !== undefined) {
      if (character === quote) quote = undefined;
    } else if (character === "'" || character === '"') quote = character;
    else if (character === '}') return at;
  }
  return -1;
}

/** Names of resources that the expressions anywhere inside `value` refer to. */
export function resourcesNamed(value: unknown): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (expression: Expression): void => {
    if (expression.kind === 'path' && expression.names[0] === 'resources' && expression.names[1] !== undefined)
      names.add(expression.names[1]);
    if (expression.kind === 'call') expression.args.forEach(visit);
  };
  const search = (part: unknown): void => {
    if (typeof part === 'string') {
      for (const piece of splitText(part)) if ('source' in piece) visit(parseExpression(piece.source));
    } else if (Array.isArray(part)) part.forEach(search);
    else if (typeof part === 'object' && part !== null) Object.values(part).forEach(search);
  };
  search(value);
  return names;
}
