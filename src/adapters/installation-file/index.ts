import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** What an installation is born with and keeps: its name, its account and its keys. */
export interface Installation {
  readonly installationId: string;
  /** 16 decimal digits, as Alibaba Cloud has them. */
  readonly accountId: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  /** 32 bytes, hex: temporary credentials and download links are derived from it. */
  readonly masterSecret: string;
}

const FILE = 'installation.json';

/** Reads the installation of a data folder; throws when there is none or it cannot be read. */
export function readInstallation(data: string): Installation {
  const path = join(data, FILE);
  const text = readFileSync(path, 'utf8');
  try {
    return JSON.parse(text) as Installation;
  } catch (error) {
    // Made complete or not at all by openInstallation: somebody else has changed it.
    throw new Error(`${path} is damaged; put back a copy of it: the keys in it cannot be made anew`, { cause: error });
  }
}

/**
 * Reads the installation of a data folder or makes it: file mode 0600, complete on disk before it has its name, and only one
 * of several makers wins.
 */
export function openInstallation(data: string, region: string): Installation {
  const path = join(data, FILE);
  try {
    return readInstallation(data);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const fresh: Installation = {
    installationId: randomUUID(),
    accountId: `1${Array.from({ length: 15 }, () => randomInt(10)).join('')}`,
    region,
    accessKeyId: `TMAK${randomBytes(10).toString('hex').toUpperCase()}`,
    accessKeySecret: randomBytes(24).toString('base64url'),
    masterSecret: randomBytes(32).toString('hex'),
  };
  const draft = join(data, `.${FILE}.${process.pid}`);
  const file = openSync(draft, 'wx', 0o600);
  try {
    writeSync(file, `${JSON.stringify(fresh, null, 2)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  try {
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  return readInstallation(data);
}
