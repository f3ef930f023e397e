import { notSupported } from '../../core/domain/errors.ts';
import { parseDestination } from '../../core/domain/destination.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import { type FieldReader, invalid, shown } from './fields.ts';

export interface Destinations {
  readonly onSuccess?: string;
  readonly onFailure?: string;
}

const KNOWN = 'Name a function (acs:fc:...), a bucket (acs:oss:{region}:{account}:{bucket}/{prefix}) or an https URL.';
/** What does the work of a service that is not here. */
const INSTEAD: Readonly<Record<string, string>> = {
  mns: 'There are no topics and queues here. For a queue: a bucket (acs:oss:{region}:{account}:{bucket}/{prefix}) keeps each result as an object until it is read and deleted. For a topic: a function (acs:fc:...) that calls its subscribers, or the https URL of one.',
  eventbridge:
    'There is no event bus here. A function (acs:fc:...) can pass results on to others; an https URL is called with each of them.',
};

/** `destinationConfig` of an async invoke config (FC reference 5). What has no target on this platform is refused by name. */
export function readDestinations(reader: FieldReader, account: string): Destinations {
  const config = reader.object('destinationConfig');
  if (config === undefined) return {};
  const onSuccess = readOne(config, 'onSuccess', account);
  const onFailure = readOne(config, 'onFailure', account);
  config.done();
  return { ...(onSuccess === undefined ? {} : { onSuccess }), ...(onFailure === undefined ? {} : { onFailure }) };
}

function readOne(config: FieldReader, on: 'onSuccess' | 'onFailure', account: string): string | undefined {
  const inner = config.object(on);
  const text = inner?.string('destination', { max: LIMITS.destinationLength });
  inner?.done();
  if (inner === undefined || text === undefined || text === '') return undefined;
  const name = inner.name('destination');
  const service = /^acs:(mns|eventbridge|mq|rocketmq|ros|fnf):/.exec(text)?.[1];
  if (service !== undefined) {
    throw notSupported(`the destination '${text}' (${name}, service '${service}')`, INSTEAD[service] ?? KNOWN);
  }
  const destination = parseDestination(text);
  if (destination === undefined) throw invalid(name, `is no destination: ${shown(text)}`, KNOWN);
  if (destination.kind !== 'webhook' && destination.account !== '' && destination.account !== account) {
    throw invalid(name, `belongs to another account: ${shown(text)}`, 'Results stay within their account.');
  }
  return text;
}
