import type { TriggerRecord } from '../../core/domain/trigger.ts';
import type { ObjectEvent } from '../../core/ports/object-store.ts';

const encoder = new TextEncoder();
/** Timers fire many at a time: the second that was written last. */
let shown = { second: Number.NaN, text: '' };

/** The event of a timer trigger (FC reference 6.1): `triggerTime` in UTC to the second, `payload` always a string. */
export function timerPayload(triggerName: string, payload: string, fireTime: number): Uint8Array {
  const second = Math.floor(fireTime / 1000);
  if (second !== shown.second) shown = { second, text: `${new Date(second * 1000).toISOString().slice(0, 19)}Z` };
  const triggerTime = shown.text;
  return encoder.encode(JSON.stringify({ triggerTime, triggerName, payload }));
}

/** The event of an object trigger (FC reference 6.3). The key is the raw object key; `owner` is the bucket's account. */
export function objectPayload(event: ObjectEvent, trigger: TriggerRecord, region: string, owner: string): Uint8Array {
  const { bucket, key, size, deltaSize, etag, contentType, context } = event;
  const userMeta = Object.fromEntries(
    Object.entries(event.userMeta).map(([name, value]) => [`x-oss-meta-${name}`, value]),
  );
  const record = {
    eventName: event.eventName,
    eventSource: 'acs:oss',
    eventTime: new Date(event.at).toISOString(),
    eventVersion: '1.0',
    oss: {
      bucket: { arn: `acs:oss:${region}:${owner}:${bucket}`, name: bucket, ownerIdentity: owner },
      object: { deltaSize, eTag: etag, key, objectMeta: { mimeType: contentType, userMeta }, size },
      ossSchemaVersion: '1.0',
      ruleId: trigger.triggerId,
    },
    region,
    requestParameters: { sourceIPAddress: context.sourceIp },
    responseElements: { requestId: context.requestId },
    userIdentity: { principalId: context.account },
  };
  return encoder.encode(JSON.stringify({ events: [record] }));
}
