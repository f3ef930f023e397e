import { parseArgs } from 'node:util';
import type { LoopLimits } from '../../core/domain/loop-limits.ts';
import type { FailedCallBounds } from '../../core/ports/failed-calls.ts';
import { readReplayTuning } from './replay-tuning.ts';
import {
  readLoopLimits,
  readSchedulerTuning,
  readWebhookTuning,
  type SchedulerTuning,
  type WebhookTuning,
} from './tuning.ts';

/** What the server process is told by whoever starts it (normally `tidemill up`). Secrets come from the installation file. */
export interface ServerSettings {
  /** The data folder, absolute. */
  readonly data: string;
  /** The file of the master key, absolute. */
  readonly masterKey: string;
  /** Where agent.sock lies. */
  readonly runDir: string;
  /** Inherited listening sockets: the API's and the object store's. */
  readonly apiDescriptor: number;
  readonly objectsDescriptor: number;
  /** Host as clients write it, e.g. `127.0.0.1`; with TLS a name of the certificate. */
  readonly host: string;
  /** With TLS: the operator's files, and the sockets that instances and clients on this machine use without it. */
  readonly tls: ServerTls | undefined;
  /** Own domain for trigger hosts, if any. */
  readonly domain: string | undefined;
  /** Root of the installed package: tells where the function runtimes are. */
  readonly packageRoot: string;
  readonly tuning: SchedulerTuning;
  readonly loopLimits: LoopLimits;
  readonly webhooks: WebhookTuning;
  /** Undefined: payloads of failed calls are not kept. */
  readonly failedCalls: FailedCallBounds | undefined;
}

export interface ServerTls {
  readonly certificate: string;
  readonly key: string;
  /** Listening sockets on loopback. */
  readonly localApiDescriptor: number;
  readonly localObjectsDescriptor: number;
}

/** Reads the command line of the server process and `TIDEMILL_TUNING`; throws on anything missing or unknown. */
export function readSettings(args: readonly string[], tuning: string | undefined): ServerSettings {
  const { values } = parseArgs({
    args: [...args],
    options: {
      data: { type: 'string' },
      'run-dir': { type: 'string' },
      'api-fd': { type: 'string' },
      'objects-fd': { type: 'string' },
      host: { type: 'string' },
      domain: { type: 'string' },
      'package-root': { type: 'string' },
      'master-key': { type: 'string' },
      'tls-cert': { type: 'string' },
      'tls-key': { type: 'string' },
      'local-api-fd': { type: 'string' },
      'local-objects-fd': { type: 'string' },
    },
  });
  const required = (name: keyof typeof values): string => {
    const value = values[name];
    if (value === undefined) throw new Error(`the server needs --${name}`);
    return value;
  };
  return {
    data: required('data'),
    masterKey: required('master-key'),
    runDir: required('run-dir'),
    apiDescriptor: Number(required('api-fd')),
    objectsDescriptor: Number(required('objects-fd')),
    host: required('host'),
    tls:
      values['tls-cert'] === undefined
        ? undefined
        : {
            certificate: values['tls-cert'],
            key: required('tls-key'),
            localApiDescriptor: Number(required('local-api-fd')),
            localObjectsDescriptor: Number(required('local-objects-fd')),
          },
    domain: values.domain,
    packageRoot: required('package-root'),
    tuning: readSchedulerTuning(tuning),
    loopLimits: readLoopLimits(tuning),
    webhooks: readWebhookTuning(tuning),
    failedCalls: readReplayTuning(tuning),
  };
}
