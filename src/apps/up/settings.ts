import { parseArgs } from 'node:util';

export type Isolation = 'container' | 'gvisor' | 'process';

/** What `tidemill up` was asked for. */
export interface UpSettings {
  readonly data: string;
  readonly port: number;
  /** 0: a free one. */
  readonly objectsPort: number;
  readonly host: string;
  readonly region: string;
  readonly domain: string | undefined;
  readonly isolation: Isolation;
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
      region: { type: 'string', default: 'local' },
      domain: { type: 'string' },
      isolation: { type: 'string', default: 'container' },
      json: { type: 'boolean', default: false },
    },
  });
  const port = portOf('--port', values.port);
  const objectsPort = values['objects-port'];
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(values.region))
    throw new UsageError(`--region ${values.region}: use letters, digits and '-'`);
  return {
    data: values.data,
    port,
    objectsPort: objectsPort === undefined ? (port === 0 ? 0 : port + 1) : portOf('--objects-port', objectsPort),
    host: values.host,
    region: values.region,
    domain: values.domain,
    isolation: isolationOf(values.isolation),
    json: values.json,
  };
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
