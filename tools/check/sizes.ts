import { readFileSync } from 'node:fs';
import { basename, relative } from 'node:path';
import type { Finding, Gate } from './gate.ts';
import { sourceFiles } from './source-files.ts';

const LINE_LIMIT = 600;
const BANNED_NAMES = /^(utils?|helpers?|common|misc)(\.|$)/;

/** Small files with a name that says something: 600 lines at most, no `utils`. */
export const sizes: Gate = {
  name: 'sizes and names',
  run(root) {
    const findings: Finding[] = [];
    const files = sourceFiles(root, ['src', 'runtimes', 'conformance', 'chaos', 'bench', 'test', 'tools']);
    for (const file of files) {
      const path = relative(root, file);
      const lines = readFileSync(file, 'utf8').split('\n').length;
      if (lines > LINE_LIMIT)
        findings.push({ file: path, line: LINE_LIMIT, message: `${lines} lines: split it by concept` });
      if (path.split('/').some((part) => BANNED_NAMES.test(part)))
        findings.push({ file: path, line: 1, message: `'${basename(path)}' says nothing: name the concept` });
    }
    return Promise.resolve({ looked: files.length, findings });
  },
};
