import type { Clock } from '../../core/base/clock.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import type { TriggerRecord } from '../../core/domain/trigger.ts';
import type { Access } from '../../core/ports/access.ts';
import type { Catalog } from '../../core/ports/catalog.ts';
import type { Dispatch } from '../../core/ports/dispatch.ts';
import type { MetadataStore } from '../../core/ports/metadata-store.ts';
import type { ObjectSource } from '../../core/ports/object-store.ts';
import { ObjectTriggers } from './object-triggers.ts';
import { TimerTriggers } from './timer-triggers.ts';
import { TriggerTarget } from './trigger-target.ts';

export { createWebhooks } from './webhooks.ts';

export interface EventSourcesOptions {
  readonly catalog: Pick<Catalog, 'triggers' | 'onTrigger'>;
  readonly dispatch: Pick<Dispatch, 'invokeAsync' | 'refuseAsync'>;
  readonly access: Pick<Access, 'check'>;
  readonly objects: Pick<ObjectSource, 'bucket' | 'events' | 'acknowledge' | 'onEvent'>;
  readonly store: Pick<MetadataStore, 'get' | 'put'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Hears of every fire of a timer ahead of time (wall clock, milliseconds). */
  readonly expect?: (trigger: TriggerRecord, at: number) => void;
  /** Shown in event payloads. */
  readonly region: string;
}

export interface EventSources {
  /** Resolves when all sources listen and what was missed is on its way. */
  start(): Promise<void>;
  /** Resolves when no event is under way any more; what was not handed on comes again after the next start. */
  stop(): Promise<void>;
}

/** Everything that turns outside happenings into async invocations: timers and object events. */
export function createEventSources(options: EventSourcesOptions): EventSources {
  const target = new TriggerTarget(options);
  const timers = new TimerTriggers({ ...options, target });
  const objects = new ObjectTriggers({ ...options, target });
  return {
    async start() {
      await timers.start();
      objects.start();
    },
    async stop() {
      await Promise.all([timers.stop(), objects.stop()]);
    },
  };
}
