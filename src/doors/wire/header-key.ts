/**
 * The same text in the form that the engine keeps for names of members. Looking a member up by any other string means
 * finding that form first, each time: for a head of ten headers about a microsecond.
 */
export function asKey(text: string): string {
  return Object.keys({ [text]: true })[0] ?? text;
}
