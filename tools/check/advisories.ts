import { spawn } from 'node:child_process';
import type { Finding } from './gate.ts';

/** What the registry knows against the packages that users of Tidemill run, or why it could not be asked. */
export type Advisories =
  | { readonly asked: true; readonly findings: readonly Finding[] }
  | { readonly asked: false; readonly why: string };

interface Report {
  readonly vulnerabilities?: Readonly<Record<string, { readonly severity: string; readonly range: string }>>;
  readonly error?: { readonly summary?: string };
  readonly message?: string;
}

const LIMIT_MS = 60_000;

/**
 * Asks the registry's advisory service about what is locked, development packages left out. A registry without such a service (mirrors
 * often have none) is told apart from one that knows of nothing.
 */
export async function advisories(root: string, registry?: string): Promise<Advisories> {
  const args = ['audit', '--json', '--omit=dev', ...(registry === undefined ? [] : ['--registry', registry])];
  const output = await new Promise<string>((resolve, reject) => {
    const child = spawn('npm', args, { cwd: root, stdio: ['ignore', 'pipe', 'ignore'], timeout: LIMIT_MS });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.on('error', reject);
    child.on('close', () => resolve(text));
  });
  const report = parse(output);
  if (report?.vulnerabilities === undefined)
    return { asked: false, why: report?.message ?? report?.error?.summary ?? 'the advisory service did not answer' };
  const findings = Object.entries(report.vulnerabilities).map(([name, { severity, range }]) => ({
    file: 'package-lock.json',
    line: 0,
    message: `${name} ${range} has a known weakness (${severity}): npm audit tells which`,
  }));
  return { asked: true, findings };
}

function parse(text: string): Report | undefined {
  try {
    return JSON.parse(text) as Report;
  } catch {
    return undefined;
  }
}
