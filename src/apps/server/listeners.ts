import { readTlsFiles, type TlsIdentity, watchTlsFiles } from '../../adapters/tls-files/index.ts';
import type { Clock } from '../../core/base/clock.ts';
import type { Disposable } from '../../core/base/disposable.ts';
import type { Logger } from '../../core/base/log.ts';
import { type HttpListener, type ListenerOptions, listenOn } from './http-listener.ts';
import type { ServerSettings, ServerTls } from './settings.ts';

type Answering = Pick<ListenerOptions, 'handle' | 'checkContinue' | 'plain' | 'upgrades'>;

interface Parts extends Pick<ListenerOptions, 'newId' | 'clock'> {
  readonly api: Answering;
  readonly objects: Answering;
  readonly logger: Logger;
}

export interface Listeners {
  /** As clients see it. */
  readonly apiPort: number;
  readonly objectsPort: number;
  readonly ports: readonly number[];
  drainApi(graceMs: number): Promise<void>;
  close(objectsGraceMs: number): Promise<void>;
}

const DAY_MS = 24 * 60 * 60 * 1000;
/** A certificate that ends sooner is told of whenever it is read. */
const WARN_DAYS = 14;

/** Listens on every inherited socket; with TLS on the public ones, whose certificate is read anew when its files change. */
export async function openListeners(settings: ServerSettings, parts: Parts): Promise<Listeners> {
  const { tls } = settings;
  const { clock, newId } = parts;
  const identity = tls === undefined ? undefined : readTlsFiles(tls, clock.now());
  if (identity !== undefined) warnOfEnd(identity, parts);
  const secured = identity === undefined ? {} : { tls: identity };
  const listen = (
    descriptor: number,
    answering: Answering,
    more: Pick<ListenerOptions, 'tls'>,
  ): Promise<HttpListener> => listenOn({ ...answering, ...more, descriptor, newId, clock });
  const api = await listen(settings.apiDescriptor, parts.api, secured);
  const objects = await listen(settings.objectsDescriptor, parts.objects, secured);
  const localApi = tls === undefined ? [] : [await listen(tls.localApiDescriptor, parts.api, {})];
  const localObjects = tls === undefined ? [] : [await listen(tls.localObjectsDescriptor, parts.objects, {})];
  const watching = tls === undefined ? undefined : keepRenewing(tls, [api, objects], parts);
  const drained = (listeners: readonly HttpListener[], graceMs: number): Promise<unknown> =>
    Promise.all(listeners.map((listener) => listener.drain(graceMs)));
  return {
    apiPort: api.port,
    objectsPort: objects.port,
    ports: [api, objects, ...localApi, ...localObjects].map(({ port }) => port),
    async drainApi(graceMs) {
      await drained([api, ...localApi], graceMs);
    },
    async close(objectsGraceMs) {
      watching?.dispose();
      await Promise.all([drained([api, ...localApi], 0), drained([objects, ...localObjects], objectsGraceMs)]);
    },
  };
}

function keepRenewing(
  files: ServerTls,
  listeners: readonly HttpListener[],
  parts: { readonly clock: Clock; readonly logger: Logger },
): Disposable {
  return watchTlsFiles(files, {
    now: () => parts.clock.now(),
    onChange: (identity) => {
      for (const listener of listeners) listener.renew(identity);
      parts.logger.log('info', 'the certificate was renewed', { until: new Date(identity.notAfter).toISOString() });
      warnOfEnd(identity, parts);
    },
    onRefused: (error) =>
      parts.logger.log('warn', 'a changed certificate is not taken over, the one before stays', {
        error: error.message,
      }),
  });
}

function warnOfEnd(identity: TlsIdentity, parts: { readonly clock: Clock; readonly logger: Logger }): void {
  if (identity.notAfter - parts.clock.now() > WARN_DAYS * DAY_MS) return;
  parts.logger.log('warn', 'the certificate ends soon', { on: new Date(identity.notAfter).toISOString() });
}
