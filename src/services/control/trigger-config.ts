import { notSupported } from '../../core/domain/errors.ts';
import { validateCron } from '../../core/domain/cron.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type {
  HttpTriggerConfig,
  OssTriggerConfig,
  TimerTriggerConfig,
  TriggerConfig,
  TriggerType,
} from '../../core/domain/trigger.ts';
import { FieldReader, invalid, isRecord, shown } from './fields.ts';
import { readTriggerAuth } from './trigger-auth-config.ts';

const TYPES: readonly TriggerType[] = ['http', 'oss', 'timer', 'eventbridge'];
/** Types of Function Compute that need a cloud service behind them (FC reference 6). */
const ELSEWHERE = ['log', 'mns_topic', 'cdn_events', 'tablestore'];
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS'] as const;

/** Events that the object store announces. `*` stands for all of a kind. */
export const OBJECT_EVENTS: readonly string[] = [
  'oss:ObjectCreated:*',
  'oss:ObjectCreated:PutObject',
  'oss:ObjectCreated:PostObject',
  'oss:ObjectCreated:CopyObject',
  'oss:ObjectCreated:CompleteMultipartUpload',
  'oss:ObjectRemoved:*',
  'oss:ObjectRemoved:DeleteObject',
  'oss:ObjectRemoved:DeleteObjects',
];
/** Events of the field that never happen here: refused, since a trigger on them would silently never fire. */
const OTHER_OBJECT_EVENTS = [
  'oss:ObjectCreated:PutSymlink',
  'oss:ObjectCreated:InitiateMultipartUpload',
  'oss:ObjectCreated:UploadPart',
  'oss:ObjectCreated:UploadPartCopy',
  'oss:ObjectCreated:AppendObject',
  'oss:ObjectRemoved:AbortMultipartUpload',
  'oss:ObjectModified:UpdateObjectMeta',
  'oss:ObjectReplication:ObjectCreated',
  'oss:ObjectReplication:ObjectRemoved',
  'oss:ObjectReplication:ObjectModified',
];

export function checkTriggerType(type: unknown): TriggerType {
  const known = TYPES.find((candidate) => candidate === type);
  if (known !== undefined) return known;
  if (typeof type === 'string' && ELSEWHERE.includes(type)) {
    throw notSupported(
      `the trigger type '${type}'`,
      `Use one of ${TYPES.join(', ')}, or invoke the function from your own client.`,
    );
  }
  if (type === undefined || type === null || type === '') throw invalid('triggerType', 'is required but not provided');
  throw invalid('triggerType', `must be one of ${TYPES.join(', ')}, not ${shown(type)}`);
}

/** `triggerConfig` is a JSON text on the wire (FC reference 1.4); its text is kept to be given back unchanged. */
export function parseTriggerConfig(value: unknown): { reader: FieldReader; raw: string } {
  if (isRecord(value)) return { reader: new FieldReader(value, 'triggerConfig'), raw: JSON.stringify(value) };
  if (typeof value !== 'string' || value === '') throw invalid('triggerConfig', 'is required but not provided');
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch (error) {
    throw invalid('triggerConfig', `is not valid JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  return { reader: new FieldReader(parsed, 'triggerConfig'), raw: value };
}

/** FC reference 6.2. `domainPrefix` is not the caller's to choose. */
export function readHttpConfig(
  reader: FieldReader,
  domainPrefix: string,
  before: TriggerConfig | undefined,
): HttpTriggerConfig {
  const authType = reader.oneOf('authType', ['anonymous', 'function', 'jwt', 'basic', 'bearer']) ?? 'function';
  const methods = reader.strings('methods', { maxItems: METHODS.length }) ?? [];
  if (methods.length === 0)
    throw invalid('triggerConfig.methods', 'is required but not provided', `Name some of ${METHODS.join(', ')}.`);
  for (const method of methods) {
    if (METHODS.some((known) => known === method)) continue;
    throw invalid('triggerConfig.methods', `has ${shown(method)}, which is none of ${METHODS.join(', ')}`);
  }
  const disableUrlInternet = reader.boolean('disableURLInternet') ?? false;
  const known = before?.type === 'http' ? before : undefined;
  const auth =
    authType === 'anonymous' || authType === 'function'
      ? undefined
      : readTriggerAuth(authType, reader.raw('authConfig'), known);
  reader.refuse('authConfig', 'Leave it out: it goes with authType jwt, basic and bearer only.', (value) =>
    auth === undefined ? emptyText(value) : true,
  );
  reader.refuse('corsConfig', 'Leave it out and answer preflights in the function, or rely on the default headers.');
  reader.done();
  const common = { methods: [...new Set(methods)], disableUrlInternet, domainPrefix };
  return { type: 'http', authType, ...(auth === undefined ? {} : { auth }), ...common };
}

function emptyText(value: unknown): boolean {
  if (typeof value === 'string') return /^\s*(\{\s*\})?\s*$/.test(value);
  return isRecord(value) && Object.keys(value).length === 0;
}

/** FC reference 6.1. */
export function readTimerConfig(reader: FieldReader): TimerTriggerConfig {
  const cronExpression = reader.required('cronExpression', { max: 256 });
  const problem = validateCron(cronExpression);
  if (problem !== undefined) throw invalid('triggerConfig.cronExpression', `${shown(cronExpression)}: ${problem}`);
  const enable = reader.boolean('enable') ?? true;
  const payload = reader.string('payload') ?? '';
  reader.done();
  const bytes = Buffer.byteLength(payload);
  if (bytes > LIMITS.asyncPayloadBytes) {
    throw invalid('triggerConfig.payload', `is ${bytes} bytes, at most ${LIMITS.asyncPayloadBytes} are allowed`);
  }
  return { type: 'timer', cronExpression, enable, payload };
}

/** FC reference 6.3. */
export function readOssConfig(reader: FieldReader, bucket: string): OssTriggerConfig {
  const events = reader.strings('events', { maxItems: 32 }) ?? [];
  if (events.length === 0) throw invalid('triggerConfig.events', 'is required but not provided');
  for (const event of events) checkObjectEvent(event);
  const filter = reader.object('filter');
  const key = filter?.object('key');
  const prefix = key?.string('prefix', { max: 1_023 }) ?? '';
  const suffix = key?.string('suffix', { max: 1_023 }) ?? '';
  key?.done();
  filter?.done();
  reader.done();
  if (prefix.startsWith('/')) {
    throw invalid(
      'triggerConfig.filter.key.prefix',
      `must not start with '/', not ${shown(prefix)}`,
      'Object keys have no leading slash.',
    );
  }
  return { type: 'oss', bucket, events: [...new Set(events)], prefix, suffix };
}

function checkObjectEvent(event: string): void {
  if (OBJECT_EVENTS.includes(event)) return;
  const remedy = `Use some of ${OBJECT_EVENTS.join(', ')}.`;
  if (OTHER_OBJECT_EVENTS.includes(event)) throw notSupported(`the object event '${event}'`, remedy);
  throw invalid('triggerConfig.events', `has the unknown event ${shown(event)}`, remedy);
}

/** True when some object event would fire both. */
export function ossOverlap(
  a: Pick<OssTriggerConfig, 'events' | 'prefix' | 'suffix'>,
  b: Pick<OssTriggerConfig, 'events' | 'prefix' | 'suffix'>,
): boolean {
  const prefixes = a.prefix.startsWith(b.prefix) || b.prefix.startsWith(a.prefix);
  const suffixes = a.suffix.endsWith(b.suffix) || b.suffix.endsWith(a.suffix);
  return prefixes && suffixes && a.events.some((left) => b.events.some((right) => sameEvent(left, right)));
}

function sameEvent(a: string, b: string): boolean {
  if (a === b) return true;
  if (a.endsWith('*')) return b.startsWith(a.slice(0, -1));
  return b.endsWith('*') && a.startsWith(b.slice(0, -1));
}
