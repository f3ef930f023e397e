import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

export type Isolation = 'container' | 'gvisor' | 'process';

/** What `tidemill up` was asked for. */
export interface UpSettings {
  readonly data: string;
  readonly port: number;
  /** 0: a free one. */
  readonly objectsPort: number;
  readonly host: string;
  /** Undefined: the one that the data folder was made with, `local` for a new one. */
  readonly region: string | undefined;
  readonly domain: string | undefined;
  readonly isolation: Isolation;
  /** The file of the master key, absolute; undefined: `master.key` in the data folder. */
  readonly masterKey: string | undefined;
  /** PEM files, absolute; undefined: plain HTTP, on loopback only. */
  readonly tls: { readonly certificate: string; readonly key: string } | undefined;
  readonly json: boolean;
}

/** The caller's mistake on the command line: shown as it is, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Reads the arguments of `tidemill up`; throws UsageError. The command line shows the same options in its help. */
export function readUpSettings(args: readonly string[]): UpSettings {
  const { values } = parseArgs({
    args: [...args],
    options: {
      data: { type: 'string', default: '.tidemill' },
      port: { type: 'string', default: '9527' },
      'objects-port': { type: 'string' },
      host: { type: 'string', default: '127.0.0.1' },
      region: { type: 'string' },
      domain: { type: 'string' },
      isolation: { type: 'string', default: 'container' },
      'master-key': { type: 'string' },
      'tls-cert': { type: 'string' },
      'tls-key': { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const port = portOf('--port', values.port);
  const objectsPort = values['objects-port'];
  const { domain, region } = values;
  if (region !== undefined && !/^[a-z][a-z0-9-]{0,31}$/.test(region))
    throw new UsageError(`--region ${region}: use up to 32 lower-case letters, digits and '-', a letter first`);
  if (domain !== undefined && !/^[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(domain))
    throw new UsageError(`--domain ${domain}: must be a lower-case host name, without port and path`);
  return {
    data: values.data,
    port,
    objectsPort: objectsPort === undefined ? (port === 0 ? 0 : port + 1) : portOf('--objects-port', objectsPort),
    host: values.host,
    region,
    domain,
    isolation: isolationOf(values.isolation),
    masterKey: values['master-key'] === undefined ? undefined : resolve(values['master-key']),
    tls: tlsOf(values['tls-cert'], values['tls-key']),
    json: values.json,
  };
}

/** The parts of `TIDEMILL_TUNING`; each is read by the process of its name. */
const TUNED = ['agent', 'loops', 'network', 'replay', 'scheduler', 'webhooks'];

/** Refuses a `TIDEMILL_TUNING` that none of our processes would read to its end. Throws UsageError. */
export function checkTuning(text: string | undefined): void {
  if (text === undefined || text === '') return;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`TIDEMILL_TUNING is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new UsageError('TIDEMILL_TUNING must be a JSON object');
  }
  for (const name of Object.keys(parsed)) {
    if (!TUNED.includes(name)) {
      throw new UsageError(`TIDEMILL_TUNING has the member "${name}"; there are: ${TUNED.join(', ')}`);
    }
  }
}

function tlsOf(certificate: string | undefined, key: string | undefined): UpSettings['tls'] {
  if (certificate === undefined && key === undefined) return undefined;
  if (certificate === undefined || key === undefined)
    throw new UsageError('--tls-cert and --tls-key belong together: give the certificate chain and its private key');
  return { certificate: resolve(certificate), key: resolve(key) };
}

function portOf(option: string, text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new UsageError(`${option} ${text}: must be 0 to 65535`);
  return port;
}

function isolationOf(text: string): Isolation {
  if (text === 'container' || text === 'gvisor' || text === 'process') return text;
  throw new UsageError(`--isolation ${text}: must be container, gvisor or process`);
}
