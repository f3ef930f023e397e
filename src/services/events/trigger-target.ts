import { type BackoffPolicy, backoffDelay } from '../../core/base/backoff.ts';
import type { Clock } from '../../core/base/clock.ts';
import { newRequestId } from '../../core/base/ids.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { type Lineage, rootLineage } from '../../core/domain/lineage.ts';
import type { TriggerRecord } from '../../core/domain/trigger.ts';
import type { Access } from '../../core/ports/access.ts';
import type { AsyncCommand, Dispatch, RefusedEnd } from '../../core/ports/dispatch.ts';
import { checkTriggerRights } from './trigger-rights.ts';

/** One event on its way to the function of one trigger. */
export interface Delivery {
  readonly trigger: TriggerRecord;
  /** The same for every attempt to deliver this event, also after a restart. */
  readonly dedupId: string;
  readonly payload: Uint8Array;
  /** Of the invocation that the event causes; undefined when the event came from outside. */
  readonly lineage: Lineage | undefined;
  /** Wall-clock milliseconds after which it is no longer worth delivering. */
  readonly expiresAt: number;
}

/**
 * `accepted`: it is durably in dispatch's hands. `ended`: it will never run, and dispatch has that durably on record. `stopped`:
 * the platform is going down first; deliver it again after the restart.
 */
type DeliveryOutcome = 'accepted' | 'ended' | 'stopped';

interface TriggerTargetOptions {
  readonly dispatch: Pick<Dispatch, 'invokeAsync' | 'refuseAsync'>;
  readonly access: Pick<Access, 'check'>;
  readonly region: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const BACKOFF: BackoffPolicy = { firstMs: 500, maxMs: 60_000, factor: 2, jitter: 0.3 };

/** Hands events to dispatch: keeps trying while the platform cannot take them, has the end of those that never will be recorded. */
export class TriggerTarget {
  private readonly options: TriggerTargetOptions;

  constructor(options: TriggerTargetOptions) {
    this.options = options;
  }

  /** Never rejects. */
  async deliver(delivery: Delivery, stop: AbortSignal): Promise<DeliveryOutcome> {
    const { clock, random, dispatch } = this.options;
    const requestId = newRequestId(random, clock.now());
    const lineage = delivery.lineage ?? rootLineage(requestId);
    const { account, functionName, qualifier } = delivery.trigger;
    const { payload, dedupId } = delivery;
    const command: AsyncCommand = { requestId, account, functionName, qualifier, payload, lineage, dedupId };
    // Once it is clear that it will never run, only that has still to be written down.
    let refused: RefusedEnd | undefined;
    for (let retry = 0; !stop.aborted; retry++) {
      try {
        if (refused === undefined) {
          checkTriggerRights(this.options.access, this.options.region, delivery.trigger);
          await dispatch.invokeAsync(command);
        } else await dispatch.refuseAsync(command, refused);
        return refused === undefined ? 'accepted' : 'ended';
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        if (refused === undefined && isCallersFault(error)) refused = { state: 'Invalid', message };
        else if (refused === undefined && clock.now() >= delivery.expiresAt) refused = { state: 'Expired', message };
        else {
          this.options.log.log('warn', 'an event could not be handed on, trying again', {
            dedupId,
            retry,
            error: message,
          });
          await this.pause(backoffDelay(BACKOFF, retry, random.float()), stop);
        }
      }
    }
    return 'stopped';
  }

  private pause(delayMs: number, stop: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        timer.dispose();
        stop.removeEventListener('abort', done);
        resolve();
      };
      const timer = this.options.clock.after(delayMs, done);
      stop.addEventListener('abort', done);
    });
  }
}

/** The function is gone or switched off, the trigger's role does not allow it, the event is too large: trying again would fail the same way. */
function isCallersFault(error: unknown): boolean {
  return error instanceof TidemillError && error.culprit === 'caller';
}
