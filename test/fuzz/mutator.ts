/** Whole numbers below a bound, the same ones for the same seed (xorshift32). */
export function drawerOf(seed: number): (below: number) => number {
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}

const WORDS = [
  '\0',
  '\r\n',
  '\n',
  '\r',
  '\t',
  '__proto__',
  'constructor',
  'prototype',
  '../',
  '%2e%2e/',
  '%00',
  '%',
  '\xff\xfe',
  '\u202e',
  '-1',
  '0x10',
  '1e9',
  '4294967296',
  '9007199254740993',
  'NaN',
  '[[[[[[[[',
  '{"a":{"a":',
  '"',
  '\\',
  '*',
  '?',
  '${',
  '<!DOCTYPE x [<!ENTITY a "b">]>',
  '&a;',
];
const BOUNDARIES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff];

/** The largest input that is made. */
export const MAX_INPUT = 16 * 1024;

/** Dictionary of a target: the words everyone stumbles over, its own, and those in its seeds. */
export function dictionaryOf(seeds: readonly string[], own: readonly string[]): readonly Buffer[] {
  const cut = seeds.flatMap((seed) => seed.match(/[\w-]+|[^\w\s]+/g) ?? []);
  return [...new Set([...WORDS, ...own, ...cut])].map((word) => Buffer.from(word, 'latin1'));
}

/** One to six changes: flipped bits, cut out, doubled, spliced with another input, dictionary words, lengths, long repeats. */
export function mutate(
  input: Buffer,
  other: Buffer,
  words: readonly Buffer[],
  draw: (below: number) => number,
): Buffer {
  let bytes: Buffer = Buffer.from(input);
  for (let left = 1 + draw(6); left > 0; left--) bytes = change(bytes, other, words, draw);
  return bytes.subarray(0, MAX_INPUT);
}

function change(bytes: Buffer, other: Buffer, words: readonly Buffer[], draw: (below: number) => number): Buffer {
  const at = draw(bytes.length + 1);
  const end = at + draw(Math.min(64, bytes.length - at + 1));
  const [before, middle, after] = [bytes.subarray(0, at), bytes.subarray(at, end), bytes.subarray(end)];
  const word = words[draw(words.length)] ?? Buffer.alloc(0);
  switch (draw(9)) {
    case 0: {
      if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << draw(8));
      return bytes;
    }
    case 1:
      return Buffer.concat([before, after]);
    case 2:
      return Buffer.concat([before, middle, middle, after]);
    case 3:
      return Buffer.concat([before, other.subarray(draw(other.length + 1))]);
    case 4:
      return Buffer.concat([before, word, after]);
    case 5:
      return Buffer.concat([before, word, bytes.subarray(at)]);
    case 6: {
      const number = BOUNDARIES[draw(BOUNDARIES.length)] ?? 0;
      if (at + 4 <= bytes.length) bytes.writeUInt32LE(number, at);
      return bytes;
    }
    case 7:
      return Buffer.concat([before, Buffer.from(String(BOUNDARIES[draw(BOUNDARIES.length)] ?? 0)), after]);
    default: {
      const unit = middle.length === 0 ? word : middle;
      const times = Math.min(1 + draw(2_000), Math.floor(MAX_INPUT / Math.max(1, unit.length)));
      return Buffer.concat([before, Buffer.alloc(unit.length * times, unit.length === 0 ? 0 : unit), after]);
    }
  }
}
