import { spawn } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Context } from '../context.ts';
import { EXIT, Failure } from '../failure.ts';
import { table } from '../terminal/text.ts';

export interface MasterKeyOptions {
  readonly data: string;
  readonly masterKey?: string;
}

interface Report {
  readonly file: string;
  readonly keys: readonly { readonly id: string; readonly current: boolean; readonly dataKeys: number }[];
  readonly retired?: readonly string[];
}

/** `tidemill master-key show|rotate|retire`: on the files of this machine, whether or not the platform runs. */
export async function masterKey(
  context: Context,
  action: 'show' | 'rotate' | 'retire',
  options: MasterKeyOptions,
): Promise<number> {
  const args = [action, '--data', options.data];
  if (options.masterKey !== undefined) args.push('--master-key', options.masterKey);
  const report = await ask(args);
  context.output.answer(report, () => said(action, report));
  return EXIT.ok;
}

function said(action: string, { file, keys, retired = [] }: Report): string {
  const lines = [
    file,
    table(
      ['MASTER KEY', '', 'DATA KEYS'],
      keys.map(({ id, current, dataKeys }) => [id, current ? 'current' : '', String(dataKeys)]),
    ),
  ];
  const waiting = keys.some(({ current, dataKeys }) => !current && dataKeys > 0);
  if (action === 'rotate' && waiting) lines.push('', 'The data keys are wrapped anew when the platform starts next.');
  if (action === 'rotate' && !waiting)
    lines.push('', 'All data keys are under the new key. Take the old one out: tidemill master-key retire');
  if (action === 'retire')
    lines.push('', retired.length === 0 ? 'Nothing to take out.' : `Taken out: ${retired.join(', ')}`);
  return lines.join('\n');
}

/** Asked of a process of its own: key files are the business of adapters, which the command line does not know. */
function ask(args: readonly string[]): Promise<Report> {
  const entry = fileURLToPath(new URL(`../../up/master-key${extname(import.meta.filename)}`, import.meta.url));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', entry, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(stdout) as Report);
      else reject(new Failure(EXIT.failed, stderr.trim(), { code: 'MasterKeyFailed', culprit: 'caller' }));
    });
  });
}
