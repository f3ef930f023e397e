import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Gate } from './gate.ts';
import { sourceFiles } from './source-files.ts';

/** A gate that is somebody else's program: its exit code decides, its output is the finding. */
function command(name: string, binary: string, args: readonly string[]): Gate {
  return {
    name,
    async run(root) {
      const { code, output } = await execute(root, binary, args);
      const findings = code === 0 ? [] : [{ file: '.', line: 0, message: output.trim() || `exit code ${code}` }];
      return { looked: sourceFiles(root, ['src', 'test', 'tools', 'conformance', 'bench']).length, findings };
    },
  };
}

function execute(root: string, binary: string, args: readonly string[]): Promise<{ code: number; output: string }> {
  const local = join(import.meta.dirname, '../../node_modules/.bin', binary);
  return new Promise((resolve, reject) => {
    const child = spawn(existsSync(local) ? local : binary, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

export const types = command('types', 'tsc', ['-p', 'tsconfig.json']);
export const format = command('format', 'biome', ['format', '.']);
export const lint = command('lint', 'oxlint', ['--type-aware', '--deny-warnings', '-c', '.oxlintrc.json', '.']);
export const deadCode = command('dead code', 'knip', ['--no-progress']);
