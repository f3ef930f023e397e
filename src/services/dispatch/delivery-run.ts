import { type BackoffPolicy, backoffDelay } from '../../core/base/backoff.ts';
import type { Clock } from '../../core/base/clock.ts';
import { newRequestId } from '../../core/base/ids.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import { type Destination, parseDestination } from '../../core/domain/destination.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { descend, HOPS_HEADER } from '../../core/domain/lineage.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { Dispatch } from '../../core/ports/dispatch.ts';
import type { EventEnd, EventQueue, LeasedEvent } from '../../core/ports/event-queue.ts';
import type { ObjectStore } from '../../core/ports/object-store.ts';
import type { WebhookSender } from '../../core/ports/webhook-sender.ts';
import { type DeliveryEnvelope, deliveryOf } from './delivery-envelope.ts';
import { resultDocument } from './result-document.ts';

export interface DeliveryDeps {
  readonly queue: EventQueue;
  readonly dispatch: Pick<Dispatch, 'invokeAsync'>;
  readonly objects: Pick<ObjectStore, 'put' | 'bucket'>;
  readonly webhooks: WebhookSender;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly region: string;
}

const RETRY: BackoffPolicy = { firstMs: 500, maxMs: 1_800_000, factor: 2, jitter: 0.2 };
const WEBHOOK_TIMEOUT_MS = 30_000;
/** Room for the payload of an event and its answer, escaped as JSON, and what is around them. */
const DOCUMENT_BYTES = 4 * (LIMITS.asyncResultBytes + LIMITS.asyncPayloadBytes);

/** The destination understood the result and does not want it: trying again would end the same way. */
class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/**
 * One result on its way to its destination: taken, tried again from 0.5 s up to every 30 minutes while the destination fails
 * (FC reference 5), or, when it refuses or is too long away, a dead letter.
 */
export class DeliveryRun {
  private lease: LeasedEvent;
  private readonly deps: DeliveryDeps;
  private readonly envelope: DeliveryEnvelope;
  private readonly abort = new AbortController();

  constructor(deps: DeliveryDeps, event: LeasedEvent) {
    const envelope = deliveryOf(event.headers);
    if (envelope === undefined) throw new Error(`event ${event.id} is no delivery`);
    this.deps = deps;
    this.lease = event;
    this.envelope = envelope;
  }

  get event(): LeasedEvent {
    return this.lease;
  }

  /** Its lease had run out and came to this process again: it is the holder still, under a higher epoch. */
  relet(event: LeasedEvent): void {
    this.lease = event;
  }

  giveUp(reason: string): void {
    this.abort.abort(new Error(reason));
  }

  async run(): Promise<void> {
    const { queue, clock, random } = this.deps;
    const { attempts, failures, acceptedAt } = this.event;
    try {
      await this.deliver();
    } catch (error) {
      if (this.abort.signal.aborted) return;
      const message = error instanceof Error ? error.message : String(error);
      const now = clock.now();
      const age = LIMITS.deliveryAgeMaxSeconds * 1_000;
      if (isRefusal(error)) return await this.end('Failed', attempts + 1, message);
      if (now >= acceptedAt + age) return await this.end('Expired', attempts + 1, message);
      const dueAt = Math.min(now + backoffDelay(RETRY, failures, random.float()), acceptedAt + age);
      await queue.retry(this.event, { dueAt, countAttempt: true, failures: failures + 1 });
      return;
    }
    await this.end('Succeeded', attempts + 1, '');
  }

  private async deliver(): Promise<void> {
    const { destination } = this.envelope;
    const target = parseDestination(destination);
    if (target === undefined) throw new RefusedError(`'${destination}' is no destination of this platform`);
    if (target.kind === 'function') return await this.call(target);
    if (target.kind === 'object') return await this.write(target);
    await this.post(target.url);
  }

  private async call(target: Extract<Destination, { kind: 'function' }>): Promise<void> {
    const { account } = this.envelope;
    const { functionName, qualifier } = target;
    const { random, clock } = this.deps;
    await this.deps.dispatch.invokeAsync({
      requestId: newRequestId(random, clock.now()),
      account,
      functionName,
      qualifier,
      payload: this.document(LIMITS.asyncPayloadBytes),
      lineage: descend(this.envelope, 'destination'),
      dedupId: `delivery:${this.event.id}`,
    });
  }

  private async write({ bucket, prefix }: Extract<Destination, { kind: 'object' }>): Promise<void> {
    const { account, functionName, requestId, on, at } = this.envelope;
    const found = await this.deps.objects.bucket(bucket);
    if (found === undefined || found.account !== account) throw new RefusedError(`bucket '${bucket}' does not exist`);
    const day = new Date(at).toISOString().slice(0, 10);
    // The same key every time: a delivery that is repeated writes the same object.
    const key = `${prefix}${prefix === '' || prefix.endsWith('/') ? '' : '/'}${functionName}/${day}/${requestId}-${on}.json`;
    const body = this.document(DOCUMENT_BYTES);
    await this.deps.objects.put(
      bucket,
      key,
      once(body),
      { eventName: 'ObjectCreated:PutObject', contentType: 'application/json' },
      { account, requestId, sourceIp: '127.0.0.1', lineage: descend(this.envelope, 'object') },
    );
  }

  private async post(url: string): Promise<void> {
    const { requestId, functionName, on } = this.envelope;
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'tidemill',
      'x-tidemill-event': `async-invocation-${on}`,
      'x-tidemill-delivery-id': `${requestId}-${on}`,
      'x-tidemill-function': functionName,
      // when the URL is one of ours, the chain goes on being counted
      [HOPS_HEADER]: String(descend(this.envelope, 'destination').hops),
    };
    const options = { headers, timeoutMs: WEBHOOK_TIMEOUT_MS, signal: this.abort.signal };
    const { status, text } = await this.deps.webhooks.post(url, this.document(DOCUMENT_BYTES), options);
    if (status >= 200 && status < 300) return;
    const message = `the webhook answered with status ${status}: ${text}`;
    // "Later" is what these two mean; other answers below 500 are about the request itself.
    if (status >= 500 || status === 408 || status === 429) throw new Error(message);
    throw new RefusedError(message);
  }

  private document(limitBytes: number): Uint8Array {
    return resultDocument(this.envelope, this.event.payload, this.deps.region, limitBytes);
  }

  private async end(state: 'Succeeded' | 'Failed' | 'Expired', attempts: number, message: string): Promise<void> {
    const { account, functionName, qualifier, requestId, taskId, on, destination, task } = this.envelope;
    const identity = { account, functionName, qualifier, requestId, taskId };
    const delivered = { account, functionName, taskId, status: state === 'Succeeded' ? 'Succeeded' : 'Failed' };
    const end: EventEnd = {
      state,
      attempts,
      message,
      followers: [],
      ...(task ? { delivered } : {}),
      ...(state === 'Succeeded' ? {} : { letter: this.letter(identity, state, attempts, message) }),
    };
    if (state !== 'Succeeded') {
      this.deps.logger.log('warn', 'a result could not be delivered and is a dead letter now', {
        requestId,
        on,
        destination,
        message,
      });
    }
    await this.deps.queue.settle(this.event, end);
  }

  private letter(
    identity: Pick<DeliveryEnvelope, 'account' | 'functionName' | 'qualifier' | 'requestId' | 'taskId'>,
    state: 'Failed' | 'Expired',
    attempts: number,
    message: string,
  ): NonNullable<EventEnd['letter']> {
    const { on, destination, lineage, invokeCount } = this.envelope;
    const evidence = { destination, deliveryAttempts: attempts, deliveryError: message, lineage };
    if (on === 'success') return { ...identity, kind: 'delivery', state, message, attempts, evidence };
    // What counts is the invocation that failed: it is what can be run again.
    const ended = this.envelope.state;
    const failed = ended === 'Succeeded' ? 'Failed' : ended;
    return {
      ...identity,
      kind: 'invocation',
      state: failed,
      message: this.envelope.message,
      attempts: invokeCount,
      evidence,
    };
  }
}

function isRefusal(error: unknown): boolean {
  if (error instanceof RefusedError) return true;
  return error instanceof TidemillError && error.status < 500 && error.status !== 429;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
