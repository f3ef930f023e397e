import { notSupported } from '../../core/domain/errors.ts';
import { type EventPattern, patternProblem } from '../../core/domain/event-pattern.ts';
import type { EventBridgeTriggerConfig, TriggerConfig, WebhookSource } from '../../core/domain/trigger.ts';
import { FieldReader, invalid, isRecord, shown } from './fields.ts';

/** Stands for the secret in everything that is read; sent back unchanged it leaves the secret as it was. */
export const SECRET_SHOWN = '******';

const SECRET_MIN = 8;
const CLOUD_SOURCES = ['Default', 'MNS', 'RocketMQ', 'RabbitMQ', 'Kafka', 'MQTT', 'DTS'];
const EVENT_NAME = /^[A-Za-z0-9_]{1,100}$/;

/**
 * A trigger of type `eventbridge` (FC reference 6.4), with the one source that needs no cloud: a webhook, in
 * `eventSourceParameters.sourceWebhookParameters`. Source, rule and target are told apart as there.
 */
export function readEventBridgeConfig(
  reader: FieldReader,
  domainPrefix: string,
  before: TriggerConfig | undefined,
): EventBridgeTriggerConfig {
  const source = reader.object('eventSourceConfig');
  if (source === undefined) throw invalid('triggerConfig.eventSourceConfig', 'is required but not provided');
  const webhook = readSource(source, before);
  const enable = reader.boolean('triggerEnable') ?? true;
  if (reader.boolean('asyncInvocationType') === false) {
    throw notSupported(
      "asyncInvocationType 'false' of a webhook",
      'Set it to true or leave it out: the sender gets its answer once the event is durable.',
    );
  }
  const pattern = readPattern(reader.raw('eventRuleFilterPattern'));
  const schema = readSink(reader.object('eventSinkConfig'));
  readRunOptions(reader.object('runOptions'));
  reader.done();
  return { type: 'eventbridge', enable, source: webhook, pattern, schema, domainPrefix };
}

function readSource(reader: FieldReader, before: TriggerConfig | undefined): WebhookSource {
  const type = reader.required('eventSourceType');
  if (CLOUD_SOURCES.includes(type)) {
    throw notSupported(
      `the event source type '${type}'`,
      "Use 'Webhook', or call the function from your own consumer.",
    );
  }
  if (type !== 'Webhook') {
    throw invalid('triggerConfig.eventSourceConfig.eventSourceType', `must be 'Webhook', not ${shown(type)}`);
  }
  const all = reader.object('eventSourceParameters');
  const parameters = all?.object('sourceWebhookParameters');
  const field = 'triggerConfig.eventSourceConfig.eventSourceParameters.sourceWebhookParameters';
  if (parameters === undefined) throw invalid(field, 'is required but not provided');
  const provider = parameters.oneOf('Provider', ['GitHub', 'GitLab']);
  if (provider === undefined) throw invalid(`${field}.Provider`, 'is required but not provided');
  const given = parameters.required('Secret', { max: 1_024 });
  const known = before?.type === 'eventbridge' ? before.source.secret : undefined;
  const secret = given === SECRET_SHOWN ? known : given;
  if (secret === undefined || secret.length < SECRET_MIN) {
    throw invalid(`${field}.Secret`, `must have at least ${SECRET_MIN} characters`, 'Use a long random one.');
  }
  const rule = { pattern: EVENT_NAME, form: 'be the name of an event, such as push' };
  const events = parameters.strings('Events', { maxItems: 100, item: rule }) ?? [];
  parameters.done();
  all?.done();
  reader.done();
  return { kind: 'webhook', provider, secret, events };
}

/** A JSON text, as the field sends it, or the object itself. */
function readPattern(value: unknown): EventPattern {
  const field = 'triggerConfig.eventRuleFilterPattern';
  let pattern = value ?? {};
  if (typeof pattern === 'string') {
    try {
      pattern = pattern === '' ? {} : JSON.parse(pattern);
    } catch {
      throw invalid(field, 'is not valid JSON');
    }
  }
  const problem = patternProblem(pattern);
  if (problem !== undefined) throw invalid(field, `cannot be used: ${problem}`);
  return pattern as EventPattern;
}

function readSink(reader: FieldReader | undefined): EventBridgeTriggerConfig['schema'] {
  const delivery = reader?.object('deliveryOption');
  const schema = delivery?.oneOf('eventSchema', ['CloudEvents', 'RawData']) ?? 'CloudEvents';
  delivery?.refuse('concurrency', 'Leave it out: events run as the function has room.', (value) => value === 1);
  delivery?.done();
  reader?.done();
  return schema;
}

function readRunOptions(reader: FieldReader | undefined): void {
  if (reader === undefined) return;
  reader.refuse('mode', "Use 'event-driven': each event is an invocation.", (value) => value === 'event-driven');
  const remedy = 'Leave it out: retries are those of the async invoke config of the function.';
  for (const field of ['errorsTolerance', 'retryStrategy', 'batchWindow', 'deadLetterQueue']) {
    reader.refuse(field, remedy);
  }
  reader.done();
}

/** The caller's config text without the secret: what is stored to be shown. */
export function withoutSecret(raw: string): string {
  const config: unknown = JSON.parse(raw);
  const parameters = ['eventSourceConfig', 'eventSourceParameters', 'sourceWebhookParameters'].reduce<unknown>(
    (value, name) => (isRecord(value) ? value[name] : undefined),
    config,
  );
  if (isRecord(parameters)) Object.assign(parameters, { Secret: SECRET_SHOWN });
  return JSON.stringify(config);
}
