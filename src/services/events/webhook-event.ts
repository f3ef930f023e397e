import { TidemillError } from '../../core/domain/errors.ts';
import type { WebhookSource } from '../../core/domain/trigger.ts';
import type { WebhookRequest } from '../../core/ports/webhooks.ts';
import type { HeaderLookup } from './webhook-signature.ts';

/** A CloudEvent as EventBridge makes it of an HTTP request. */
export interface WebhookEvent {
  readonly [attribute: string]: unknown;
  readonly id: string;
  readonly data: {
    readonly headers: Readonly<Record<string, string>>;
    readonly path: string;
    readonly body: unknown;
    readonly httpMethod: string;
    readonly queryString: Readonly<Record<string, string>>;
  };
}

/** Headers that prove who sends: nobody behind the check needs them, and an event may be read by many. */
const SECRET_HEADERS = new Set([
  'authorization',
  'cookie',
  'proxy-authorization',
  'webhook-signature',
  'x-gitlab-token',
  'x-hub-signature',
  'x-hub-signature-256',
]);

/** The name of what happened, e.g. `push`. */
export function eventNameOf(source: WebhookSource, header: HeaderLookup, body: unknown): string {
  if (source.provider === 'GitHub') return header('x-github-event') ?? '';
  const kind = typeof body === 'object' && body !== null && 'object_kind' in body ? body.object_kind : undefined;
  // `Push Hook` is a name for people; the body has the one for programs
  return typeof kind === 'string' ? kind : gitLabName(header('x-gitlab-event') ?? '');
}

/** `Merge Request Hook` as `merge_request`. */
function gitLabName(title: string): string {
  return title
    .replace(/ Hook$/, '')
    .toLowerCase()
    .replaceAll(' ', '_');
}

/**
 * What stays the same when a delivery is repeated; undefined: the sender does not say. GitLab gives a chain of hooks that
 * cause one another a common event id, so its key of the single delivery comes first.
 */
export function deliveryIdOf(source: WebhookSource, header: HeaderLookup): string | undefined {
  const id =
    source.provider === 'GitHub'
      ? header('x-github-delivery')
      : (header('webhook-id') ?? header('idempotency-key') ?? header('x-gitlab-event-uuid'));
  return id === undefined || id === '' ? undefined : id.slice(0, 200);
}

/** The body for a program: JSON, also from GitHub's form encoding; text of any other kind stays text. */
export function bodyOf(header: HeaderLookup, bytes: Uint8Array): unknown {
  const text = new TextDecoder().decode(bytes);
  const type = header('content-type') ?? '';
  if (/^application\/x-www-form-urlencoded\b/i.test(type)) {
    const payload = new URLSearchParams(text).get('payload');
    return payload === null ? text : parsed(payload);
  }
  return /\bjson\b/i.test(type) ? parsed(text) : text;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new TidemillError('InvalidArgument', 'the body of the webhook is announced as JSON, but is none');
  }
}

/** The CloudEvent, with what EventBridge puts into `data` of an HTTP event. `now`: wall clock. */
export function webhookEvent(
  request: WebhookRequest,
  id: string,
  body: unknown,
  region: string,
  now: number,
): WebhookEvent {
  const { trigger, method, target } = request;
  const { account, functionName, triggerName } = trigger;
  const url = new URL(target, 'http://localhost');
  const time = new Date(now).toISOString();
  return {
    id,
    source: `Webhook-Function-${triggerName}`,
    specversion: '1.0',
    type: 'eventbridge:Events:HTTPEvent',
    datacontenttype: 'application/json; charset=utf-8',
    subject: `acs:fc:${region}:${account}:functions/${functionName}/triggers/${triggerName}`,
    time,
    aliyunaccountid: account,
    aliyunpublishtime: time,
    aliyunoriginalaccountid: account,
    aliyunregionid: region,
    data: {
      headers: Object.fromEntries(request.headers.filter(([name]) => !SECRET_HEADERS.has(name.toLowerCase()))),
      path: url.pathname,
      body,
      httpMethod: method,
      queryString: Object.fromEntries(url.searchParams),
    },
  };
}
