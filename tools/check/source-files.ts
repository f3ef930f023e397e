import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const SKIPPED = new Set(['node_modules', 'dist', 'out', 'fixtures']);
const SOURCE = /\.(ts|mjs|cjs|js)$/;

/** Source files below the named folders of `root`, absolute, sorted; generated and installed folders left out. */
export function sourceFiles(root: string, folders: readonly string[]): readonly string[] {
  const found: string[] = [];
  for (const folder of folders) walk(join(root, folder), found);
  return found.sort();
}

function walk(folder: string, found: string[]): void {
  let entries: import('node:fs').Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return; // a folder that does not exist yet holds no files
  }
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!SKIPPED.has(entry.name)) walk(path, found);
    } else if (SOURCE.test(entry.name)) found.push(path);
  }
}
