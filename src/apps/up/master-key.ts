import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import {
  masterKeyIds,
  openMasterKeyFile,
  retireMasterKeys,
  rotateMasterKeyFile,
} from '../../adapters/master-key-file/index.ts';
import { DataKeyFiles } from '../../adapters/vault-envelope/data-keys.ts';

const LOOK_MS = 200;

/** The master keys of a data folder, the current one first, and how many data keys each wraps. */
interface MasterKeyReport {
  readonly file: string;
  readonly keys: readonly { readonly id: string; readonly current: boolean; readonly dataKeys: number }[];
  readonly retired?: readonly string[];
}

/**
 * `show`, `rotate` or `retire`, as a process of its own for the command line. Works on the files; a server that runs notices a rotation
 * and wraps the data keys anew, for which `rotate` waits up to `--wait` seconds.
 */
async function main(args: readonly string[]): Promise<MasterKeyReport> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { data: { type: 'string' }, 'master-key': { type: 'string' }, wait: { type: 'string', default: '10' } },
  });
  const data = resolve(values.data ?? '.tidemill');
  const file = resolve(values['master-key'] ?? join(data, 'master.key'));
  const [action] = positionals;
  if (action === 'rotate') {
    const id = rotateMasterKeyFile(file);
    return withKeys(file, data, (dataKeys) => wrappedUnder(id, dataKeys, Number(values.wait) * 1000));
  }
  if (action !== 'retire') return withKeys(file, data, () => Promise.resolve());
  let retired: readonly string[] = [];
  const report = await withKeys(file, data, async (dataKeys) => {
    retired = retireMasterKeys(file, new Set((await dataKeys.mastersInUse()).keys()));
  });
  return { ...report, retired };
}

async function withKeys(
  file: string,
  data: string,
  work: (dataKeys: DataKeyFiles) => Promise<void>,
): Promise<MasterKeyReport> {
  masterKeyIds(file); // a folder that is none is refused rather than given a key
  const master = openMasterKeyFile(file);
  try {
    const dataKeys = new DataKeyFiles(join(data, 'keys'), master);
    await dataKeys.open();
    await work(dataKeys);
    const counts = await dataKeys.mastersInUse();
    const keys = masterKeyIds(file).map((id, at) => ({ id, current: at === 0, dataKeys: counts.get(id) ?? 0 }));
    return { file, keys };
  } finally {
    master.close();
  }
}

/** Resolves when nothing is under another key, or after the time: then nobody runs who would do it, and the next start does. */
async function wrappedUnder(id: string, dataKeys: DataKeyFiles, limitMs: number): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (performance.now() < deadline) {
    const counts = await dataKeys.mastersInUse();
    if ([...counts.keys()].every((each) => each === id)) return;
    await pause(LOOK_MS);
  }
}

try {
  console.log(JSON.stringify(await main(process.argv.slice(2))));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
