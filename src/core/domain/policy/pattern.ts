/** A text in which `*` stands for any characters, none included, and `?` for exactly one. */
export interface Pattern {
  /** As written. */
  readonly text: string;
  /** Time grows with the length of the text alone, whatever the pattern is. */
  matches(text: string): boolean;
}

/** `ignoreCase` is for actions, which RAM compares without regard to case; resources are compared as they are. */
export function compilePattern(text: string, options: { readonly ignoreCase?: boolean } = {}): Pattern {
  const ignoreCase = options.ignoreCase === true;
  const folded = ignoreCase ? text.toLowerCase() : text;
  const match = matcherOf(folded.replaceAll(/\*+/g, '*'));
  return { text, matches: ignoreCase ? (candidate) => match(candidate.toLowerCase()) : match };
}

type Matcher = (text: string) => boolean;

/** The forms that nearly all patterns have need no automaton. */
function matcherOf(pattern: string): Matcher {
  if (pattern === '*') return () => true;
  if (!/[*?]/.test(pattern)) return (text) => text === pattern;
  const prefix = pattern.slice(0, -1);
  if (pattern.endsWith('*') && !/[*?]/.test(prefix)) return (text) => text.startsWith(prefix);
  const automaton = new Automaton(pattern);
  return (text) => automaton.accepts(text);
}

const WORD = 32;

/**
 * The pattern as a row of states, one bit each, all moved at once by every character (shift-and): no backtracking, so a
 * hostile pattern costs no more than a harmless one. State n means that the first n steps are matched; a `*` is a state
 * that stays.
 */
class Automaton {
  private readonly words: number;
  /** Per character the states that it leads out of; characters that the pattern does not have use `anyCharacter`. */
  private readonly moves = new Map<number, Int32Array>();
  private readonly anyCharacter: Int32Array;
  private readonly stays: Int32Array;
  private readonly last: number;

  constructor(pattern: string) {
    const steps = pattern.replaceAll('*', '');
    this.last = steps.length;
    this.words = Math.floor(this.last / WORD) + 1;
    this.anyCharacter = new Int32Array(this.words);
    this.stays = new Int32Array(this.words);
    for (let i = 0, state = 0; i < pattern.length; i++) {
      if (pattern[i] === '*') set(this.stays, state);
      else if (pattern[i] === '?') set(this.anyCharacter, state++);
      else state++;
    }
    for (let i = 0; i < steps.length; i++) {
      if (steps[i] === '?') continue;
      const code = steps.charCodeAt(i);
      let mask = this.moves.get(code);
      if (mask === undefined) this.moves.set(code, (mask = this.anyCharacter.slice()));
      set(mask, i);
    }
  }

  accepts(text: string): boolean {
    const states = new Int32Array(this.words);
    states[0] = 1;
    for (let i = 0; i < text.length; i++) {
      const mask = this.moves.get(text.charCodeAt(i)) ?? this.anyCharacter;
      let carry = 0;
      let alive = 0;
      for (let w = 0; w < this.words; w++) {
        const before = states[w]!;
        const moved = before & mask[w]!;
        const after = (moved << 1) | carry | (before & this.stays[w]!);
        carry = moved >>> (WORD - 1);
        states[w] = after;
        alive |= after;
      }
      if (alive === 0) return false;
    }
    return (states[this.last >>> 5]! & (1 << (this.last & 31))) !== 0;
  }
}

function set(words: Int32Array, bit: number): void {
  words[bit >>> 5]! |= 1 << (bit & 31);
}
