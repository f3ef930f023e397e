import type { OssTriggerConfig } from '../../core/domain/trigger.ts';
import type { ObjectEvent } from '../../core/ports/object-store.ts';

/** Whether an object trigger asks for this event: bucket, event name (`*` at its end takes all of a kind), prefix and suffix. */
export function wantsEvent(
  config: OssTriggerConfig,
  event: Pick<ObjectEvent, 'bucket' | 'eventName' | 'key'>,
): boolean {
  return (
    event.bucket === config.bucket &&
    event.key.startsWith(config.prefix) &&
    event.key.endsWith(config.suffix) &&
    config.events.some((pattern) => wantsName(pattern, `oss:${event.eventName}`))
  );
}

function wantsName(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
