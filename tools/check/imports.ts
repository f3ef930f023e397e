import { readFileSync } from 'node:fs';

/** One import as written: the module named, and where. */
export interface ImportLine {
  readonly specifier: string;
  readonly line: number;
}

const IMPORT =
  /(?:^|[\s;}])(?:import|export)\s(?:[^'";]*?\sfrom\s)?['"]([^'"]+)['"]|\b(?:import|require)\(\s*['"]([^'"]+)['"]\s*\)/g;

/** Every module that a source text imports, re-exports or loads dynamically by a literal. */
export function importsOf(text: string): readonly ImportLine[] {
  const found: ImportLine[] = [];
  const code = text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '));
  for (const match of code.matchAll(IMPORT)) {
    const specifier = match[1] ?? match[2];
    if (specifier === undefined) continue;
    const before = code.slice(0, match.index);
    const lineStart = before.lastIndexOf('\n') + 1;
    if (/^\s*\/\//.test(code.slice(lineStart, match.index + 2))) continue;
    found.push({ specifier, line: before.split('\n').length });
  }
  return found;
}

export function importsOfFile(path: string): readonly ImportLine[] {
  return importsOf(readFileSync(path, 'utf8'));
}
