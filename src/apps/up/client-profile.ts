import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** What clients on this machine need to reach the platform. */
export interface ClientProfile {
  readonly endpoint: string;
  readonly objectsEndpoint: string;
  readonly accountId: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
}

/** Where the command line looks for what `up` wrote for this user. */
export function profilePath(env: NodeJS.ProcessEnv): string {
  const base = env.XDG_CONFIG_HOME ?? join(env.HOME ?? homedir(), '.config');
  return join(base, 'tidemill', 'profile.json');
}

/** Writes the profile so that `tidemill deploy` and the rest work without settings; mode 0600, replaced as a whole. */
export function writeProfile(path: string, profile: ClientProfile): void {
  mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(profile, null, 2)}\n`, { mode: 0o600 });
  renameSync(draft, path);
}
