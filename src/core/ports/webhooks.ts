import type { Lineage } from '../domain/lineage.ts';
import type { TriggerRecord } from '../domain/trigger.ts';

/** A request to the URL of a trigger whose source is a webhook. */
export interface WebhookRequest {
  readonly requestId: string;
  readonly trigger: TriggerRecord;
  readonly method: string;
  /** Path and query as the function shall see them. */
  readonly target: string;
  /** Name, value pairs; names as sent. */
  readonly headers: readonly (readonly [string, string])[];
  /** Exactly the bytes that arrived: signatures are over them. */
  readonly body: Uint8Array;
  readonly lineage: Lineage;
}

/** Takes what other services announce over HTTP. */
export interface Webhooks {
  /**
   * `accepted`: the event is durable, or was before (the sender repeats deliveries). `filtered`: the trigger does not want
   * it. Throws InvalidWebhookSignature, InvalidArgument, EntityTooLarge, and what accepting an async invocation throws.
   */
  receive(request: WebhookRequest): Promise<'accepted' | 'filtered'>;
}
