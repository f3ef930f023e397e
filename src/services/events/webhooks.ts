import type { Clock } from '../../core/base/clock.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { matchesPattern } from '../../core/domain/event-pattern.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { Access } from '../../core/ports/access.ts';
import type { Dispatch } from '../../core/ports/dispatch.ts';
import type { WebhookRequest, Webhooks } from '../../core/ports/webhooks.ts';
import { checkTriggerRights } from './trigger-rights.ts';
import { bodyOf, deliveryIdOf, eventNameOf, webhookEvent } from './webhook-event.ts';
import { checkSignature, type HeaderLookup } from './webhook-signature.ts';

interface WebhookOptions {
  readonly dispatch: Pick<Dispatch, 'invokeAsync'>;
  readonly access: Pick<Access, 'check'>;
  readonly clock: Clock;
  /** Shown in events. */
  readonly region: string;
}

/**
 * Webhooks of GitHub and GitLab as events: the source checks who sends, the trigger's rule says whether it wants the event,
 * and the target is an async invocation of its function. Unlike the other sources it keeps nothing: who announces an event
 * gets to know when it could not be accepted, and announces it again.
 */
class WebhookEvents implements Webhooks {
  private readonly options: WebhookOptions;

  constructor(options: WebhookOptions) {
    this.options = options;
  }

  async receive(request: WebhookRequest): Promise<'accepted' | 'filtered'> {
    const { trigger, requestId, body, lineage } = request;
    const { config, account, functionName, qualifier } = trigger;
    if (config.type !== 'eventbridge') throw new Error(`trigger ${trigger.triggerId} has no webhook`);
    const header = lookupIn(request);
    const now = this.options.clock.now();
    checkSignature(config.source, header, body, now);
    if (!config.enable) return 'filtered';
    const content = bodyOf(header, body);
    const { events } = config.source;
    if (events.length > 0 && !events.includes(eventNameOf(config.source, header, content))) return 'filtered';
    const deliveryId = deliveryIdOf(config.source, header);
    const event = webhookEvent(request, deliveryId ?? requestId, content, this.options.region, now);
    if (!matchesPattern(config.pattern, event)) return 'filtered';
    const payload = config.schema === 'RawData' ? body : new TextEncoder().encode(JSON.stringify(event));
    if (payload.byteLength > LIMITS.asyncPayloadBytes) throw tooLarge(payload.byteLength);
    checkTriggerRights(this.options.access, this.options.region, trigger);
    await this.options.dispatch.invokeAsync({
      requestId,
      account,
      functionName,
      qualifier,
      payload,
      lineage,
      dedupId: `${trigger.triggerId}:${deliveryId ?? requestId}`,
    });
    return 'accepted';
  }
}

function lookupIn({ headers }: WebhookRequest): HeaderLookup {
  const byName = new Map(headers.map(([name, value]) => [name.toLowerCase(), value]));
  return (name) => byName.get(name);
}

function tooLarge(bytes: number): TidemillError {
  const limit = LIMITS.asyncPayloadBytes;
  return new TidemillError('EntityTooLarge', `the event of this webhook is ${bytes} bytes, the most is ${limit}`, {
    remedy: 'Switch off the events of the webhook that are not needed: the large ones are rarely wanted.',
  });
}

/** Takes webhooks for the triggers that have one as their source. */
export function createWebhooks(options: WebhookOptions): Webhooks {
  return new WebhookEvents(options);
}
