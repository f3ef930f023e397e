import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { unreachable, usage } from '../failure.ts';
import type { AccessKey } from './acs3.ts';

/** Where the platform is and as whom to speak to it. */
export interface Connection {
  /** `http://host:port`, without a trailing slash. */
  readonly endpoint: string;
  readonly objectsEndpoint: string | undefined;
  readonly key: AccessKey;
  readonly accountId: string | undefined;
  readonly region: string | undefined;
}

/** The file that `tidemill up` writes for this user. */
export function profilePath(env: NodeJS.ProcessEnv): string {
  const base = env.XDG_CONFIG_HOME ?? join(env.HOME ?? homedir(), '.config');
  return join(base, 'tidemill', 'profile.json');
}

/**
 * The TIDEMILL_ variables, else the profile that `up` wrote. A variable wins over the profile field by field, but keys of the
 * profile are only used with the profile's own endpoint: they must not be sent elsewhere.
 */
export function readConnection(env: NodeJS.ProcessEnv): Connection {
  const profile = readProfile(profilePath(env));
  const endpoint = trimmed(env.TIDEMILL_ENDPOINT) ?? profile.endpoint;
  if (endpoint === undefined) {
    throw unreachable(
      'no platform is known here',
      'Start one with `tidemill up`, or set TIDEMILL_ENDPOINT, TIDEMILL_ACCESS_KEY_ID and TIDEMILL_ACCESS_KEY_SECRET.',
    );
  }
  if (!/^https?:\/\/[^/]+$/.test(endpoint)) {
    throw usage(`TIDEMILL_ENDPOINT is '${endpoint}'`, 'Give scheme, host and port only, e.g. http://127.0.0.1:9527.');
  }
  const own = endpoint === profile.endpoint ? profile : {};
  const id = trimmed(env.TIDEMILL_ACCESS_KEY_ID) ?? own.accessKeyId;
  const secret = trimmed(env.TIDEMILL_ACCESS_KEY_SECRET) ?? own.accessKeySecret;
  if (id === undefined || secret === undefined) {
    throw usage(
      `there is no access key for ${endpoint}`,
      'Set TIDEMILL_ACCESS_KEY_ID and TIDEMILL_ACCESS_KEY_SECRET as well.',
    );
  }
  const token = trimmed(env.TIDEMILL_SECURITY_TOKEN);
  return {
    endpoint,
    key: token === undefined ? { id, secret } : { id, secret, token },
    objectsEndpoint: trimmed(env.TIDEMILL_OBJECTS_ENDPOINT) ?? own.objectsEndpoint,
    accountId: trimmed(env.TIDEMILL_ACCOUNT_ID) ?? own.accountId,
    region: trimmed(env.TIDEMILL_REGION) ?? own.region,
  };
}

type Profile = Partial<
  Record<'endpoint' | 'objectsEndpoint' | 'accountId' | 'region' | 'accessKeyId' | 'accessKeySecret', string>
>;

function readProfile(path: string): Profile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return {}; // nobody has run `up` here
  }
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null) return parsed;
  } catch {
    // said below
  }
  throw usage(`${path} is not valid JSON`, 'Delete it and start `tidemill up` again, which writes it anew.');
}

function trimmed(value: string | undefined): string | undefined {
  const text = value?.trim().replace(/\/+$/, '');
  return text === '' ? undefined : text;
}
