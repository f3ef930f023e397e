import type { Lineage } from './lineage.ts';

export type TriggerType = 'http' | 'oss' | 'timer';

export interface HttpTriggerConfig {
  readonly type: 'http';
  readonly authType: 'anonymous' | 'function';
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

export type TriggerConfig = HttpTriggerConfig | TimerTriggerConfig | OssTriggerConfig;

/** A trigger as stored. `rawConfig` is the caller's JSON text, given back unchanged (FC reference 1.4). */
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
