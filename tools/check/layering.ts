import { dirname, join, posix, relative } from 'node:path';
import { importsOfFile } from './imports.ts';
import type { Finding, Gate } from './gate.ts';
import { sourceFiles } from './source-files.ts';

/** Node built-ins without I/O: what services and doors may use. */
const PURE_BUILTINS = new Set([
  'node:crypto',
  'node:buffer',
  'node:stream',
  'node:url',
  'node:util',
  'node:zlib',
  'node:events',
  'node:string_decoder',
]);

/** What a place may import: places of ours by prefix, node built-ins, npm packages. */
interface Rule {
  readonly ours: readonly string[];
  readonly builtins: 'none' | 'pure' | 'http' | 'all';
  readonly packages: boolean;
}

const CORE = ['src/core/'];

/** The table of ARCHITECTURE.md: the first folder is the layer, the second the noun. `self` stands for the own folder. */
function ruleFor(path: string): Rule | undefined {
  const parts = path.split('/');
  const self = `${parts.slice(0, 3).join('/')}/`;
  if (parts[0] === 'src' && path.endsWith('.suite.ts')) return { ours: CORE, builtins: 'all', packages: true };
  if (parts[0] === 'src' && parts[1] === 'core') {
    const below: Record<string, readonly string[]> = {
      base: ['src/core/base/'],
      domain: ['src/core/base/', 'src/core/domain/'],
      ports: ['src/core/base/', 'src/core/domain/', 'src/core/ports/', 'src/core/protocol/'],
      protocol: ['src/core/base/', 'src/core/domain/', 'src/core/ports/', 'src/core/protocol/'],
    };
    const ours = below[parts[2] ?? ''];
    return ours === undefined ? undefined : { ours, builtins: 'none', packages: false };
  }
  if (parts[0] === 'src' && parts[1] === 'adapters')
    return { ours: [...CORE, self, 'src/adapters/sqlite/'], builtins: 'all', packages: true };
  if (parts[0] === 'src' && parts[1] === 'services') return { ours: [...CORE, self], builtins: 'pure', packages: true };
  if (parts[0] === 'src' && parts[1] === 'doors')
    return { ours: [...CORE, self, 'src/doors/wire/'], builtins: 'http', packages: true };
  if (parts[0] === 'src' && parts[1] === 'apps') {
    const roots = ['src/adapters/', 'src/services/', 'src/doors/'];
    const isRoot = ['server', 'agent', 'up'].includes(parts[2] ?? '');
    return { ours: isRoot ? [...CORE, ...roots, self] : [...CORE, self], builtins: 'all', packages: true };
  }
  if (parts[0] === 'runtimes') return { ours: [`${parts.slice(0, 2).join('/')}/`], builtins: 'all', packages: false };
  // Guards can only be taken away where sandboxes are made: this suite meets the adapter itself.
  if (parts[0] === 'conformance' && parts[1] === 'escape')
    return {
      ours: ['conformance/', 'src/adapters/sandbox-oci/', 'test/adapters/', ...CORE],
      builtins: 'all',
      packages: true,
    };
  if (parts[0] === 'conformance')
    return { ours: ['conformance/', 'tools/leakcheck.ts'], builtins: 'all', packages: true };
  if (parts[0] === 'chaos') return { ours: ['chaos/', 'conformance/', ...CORE], builtins: 'all', packages: true };
  if (parts[0] === 'bench')
    return {
      ours: ['bench/', 'conformance/', 'src/services/', 'src/adapters/', ...CORE],
      builtins: 'all',
      packages: true,
    };
  if (parts[0] === 'test')
    return { ours: ['test/', 'src/', 'tools/', 'conformance/'], builtins: 'all', packages: true };
  if (parts[0] === 'tools') return { ours: ['tools/', 'conformance/start.ts'], builtins: 'all', packages: true };
  return undefined;
}

function builtinAllowed(rule: Rule, specifier: string): boolean {
  if (rule.builtins === 'all') return true;
  if (rule.builtins === 'none') return false;
  return PURE_BUILTINS.has(specifier) || (rule.builtins === 'http' && specifier === 'node:http');
}

function problem(path: string, specifier: string, rule: Rule): string | undefined {
  if (specifier.startsWith('.')) {
    const target = posix.normalize(posix.join(dirname(path), specifier));
    return rule.ours.some((prefix) => target.startsWith(prefix)) ? undefined : `may not import ${target}`;
  }
  if (specifier.startsWith('node:')) return builtinAllowed(rule, specifier) ? undefined : `may not use ${specifier}`;
  return rule.packages ? undefined : `may not use the package ${specifier}`;
}

/** Holds the import rule: a file's path says what it may import. */
export const layering: Gate = {
  name: 'layering',
  run(root) {
    const findings: Finding[] = [];
    const files = sourceFiles(root, ['src', 'runtimes', 'conformance', 'chaos', 'bench', 'test', 'tools']);
    for (const file of files) {
      const path = relative(root, file);
      const rule = ruleFor(path);
      if (rule === undefined) {
        findings.push({
          file: path,
          line: 1,
          message: 'lies in no known layer: move it or add its layer to the table',
        });
        continue;
      }
      for (const { specifier, line } of importsOfFile(join(root, path))) {
        const message = problem(path, specifier, rule);
        if (message !== undefined) findings.push({ file: path, line, message });
      }
    }
    return Promise.resolve({ looked: files.length, findings });
  },
};
