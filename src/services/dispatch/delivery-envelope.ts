import type { EndState } from '../../core/domain/async-task.ts';
import type { HttpCall } from '../../core/domain/invocation.ts';
import type { Lineage } from '../../core/domain/lineage.ts';

/** What rides with the delivery of a result. Its payload is the request's bytes, then the answer's. */
export interface DeliveryEnvelope {
  readonly kind: 'delivery';
  readonly on: 'success' | 'failure';
  readonly destination: string;
  readonly account: string;
  readonly functionName: string;
  readonly qualifier: string;
  readonly requestId: string;
  readonly taskId: string;
  /** Of the invocation whose result this is. */
  readonly lineage: Lineage;
  readonly http?: Omit<HttpCall, 'body'>;
  /** How long the request's part of the payload is. */
  readonly requestBytes: number;
  readonly state: EndState;
  readonly message: string;
  /** Wall-clock milliseconds of the end. */
  readonly at: number;
  /** `condition`, `statusCode`, `functionError` and `approximateInvokeCount` of the documented payload. */
  readonly condition: string;
  readonly statusCode: number;
  readonly functionError: string;
  readonly invokeCount: number;
  /** False when the answer was longer than what is kept. */
  readonly complete: boolean;
  /** Whether the invocation is followed as a task. */
  readonly task: boolean;
}

/** Deliveries of one function stand under a key of their own: they neither wait for its slots nor hold its events up. */
const KEY_SUFFIX = '#deliveries';

export function deliveryKey(account: string, functionName: string): string {
  return `${account}/${functionName}${KEY_SUFFIX}`;
}

export function isDeliveryKey(key: string): boolean {
  return key.endsWith(KEY_SUFFIX);
}

/** Undefined: the headers are not those of a delivery. */
export function deliveryOf(headers: unknown): DeliveryEnvelope | undefined {
  const envelope = headers as Partial<DeliveryEnvelope>;
  return envelope.kind === 'delivery' ? (envelope as DeliveryEnvelope) : undefined;
}
