import type { EventPattern } from './event-pattern.ts';
import type { Lineage } from './lineage.ts';
import type { TriggerAuth } from './trigger-auth.ts';

export type TriggerType = 'http' | 'oss' | 'timer' | 'eventbridge';

export interface HttpTriggerConfig {
  readonly type: 'http';
  readonly authType: 'anonymous' | 'function' | TriggerAuth['kind'];
  /** For the types that know callers without an access key. Holds secrets. */
  readonly auth?: TriggerAuth;
  readonly methods: readonly string[];
  readonly disableUrlInternet: boolean;
  /** DNS label of the trigger's host name, stable for its life. */
  readonly domainPrefix: string;
}

export interface TimerTriggerConfig {
  readonly type: 'timer';
  readonly cronExpression: string;
  readonly enable: boolean;
  readonly payload: string;
}

export interface OssTriggerConfig {
  readonly type: 'oss';
  readonly bucket: string;
  /** As given, with the `oss:` prefix, e.g. `oss:ObjectCreated:*`. */
  readonly events: readonly string[];
  readonly prefix: string;
  readonly suffix: string;
}

/** Where events come from: requests that GitHub or GitLab send and sign. */
export interface WebhookSource {
  readonly kind: 'webhook';
  readonly provider: 'GitHub' | 'GitLab';
  readonly secret: string;
  /** Names of the events that count, e.g. `push`; none: all. */
  readonly events: readonly string[];
}

/** A source, a rule over its events, and in which form the function gets them. */
export interface EventBridgeTriggerConfig {
  readonly type: 'eventbridge';
  readonly enable: boolean;
  readonly source: WebhookSource;
  readonly pattern: EventPattern;
  /** `RawData`: the body as it arrived. */
  readonly schema: 'CloudEvents' | 'RawData';
  /** DNS label of the URL that takes the requests, stable for the trigger's life. */
  readonly domainPrefix: string;
}

export type TriggerConfig = HttpTriggerConfig | TimerTriggerConfig | OssTriggerConfig | EventBridgeTriggerConfig;

/** The label of the trigger's URL; undefined: it has none. */
export function domainPrefixOf(config: TriggerConfig): string | undefined {
  return config.type === 'http' || config.type === 'eventbridge' ? config.domainPrefix : undefined;
}

/** A trigger as stored. `rawConfig` is the caller's JSON text, given back unchanged but for secrets (FC reference 1.4). */
export interface TriggerRecord {
  readonly account: string;
  readonly functionName: string;
  readonly triggerName: string;
  readonly triggerId: string;
  readonly qualifier: string;
  readonly description: string;
  readonly sourceArn: string;
  readonly invocationRole: string;
  readonly config: TriggerConfig;
  readonly rawConfig: string;
  /** Of the function that wrote this trigger; absent: written from outside. */
  readonly lineage?: Lineage;
  readonly createdTime: number;
  readonly lastModifiedTime: number;
}
