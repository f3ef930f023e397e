/**
 * The first member name that an object of a valid JSON text has twice, and undefined if there is none. `JSON.parse` keeps the last
 * one silently: of two conditions with one name one would be lost.
 */
export function duplicateName(json: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  const tokens = /"(?:[^"\\]|\\.)*"|[{}[\]]/g;
  const colon = /\s*:/y;
  for (let token = tokens.exec(json); token !== null; token = tokens.exec(json)) {
    const [text] = token;
    if (text === '{') open.push(new Set());
    else if (text === '[') open.push(undefined);
    else if (text === '}' || text === ']') open.pop();
    else {
      colon.lastIndex = tokens.lastIndex;
      if (!colon.test(json)) continue;
      const name = JSON.parse(text) as string;
      const names = open.at(-1);
      if (names?.has(name) === true) return name;
      names?.add(name);
    }
  }
  return undefined;
}
