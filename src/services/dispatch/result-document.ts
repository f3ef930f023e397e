import { functionArn } from '../../core/domain/arn.ts';
import type { DeliveryEnvelope } from './delivery-envelope.ts';

/**
 * What a destination gets (FC reference 5), as JSON of at most `limitBytes`. Payloads are text. What does not fit is cut, the
 * answer first, and `truncated` (ours) says so in the context of what was cut.
 */
export function resultDocument(
  envelope: DeliveryEnvelope,
  payload: Uint8Array,
  region: string,
  limitBytes: number,
): Uint8Array {
  const whole = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  let request = whole.subarray(0, envelope.requestBytes);
  let response = whole.subarray(envelope.requestBytes);
  let complete = envelope.complete;
  for (;;) {
    const cut = { request: request.byteLength < envelope.requestBytes, response: !complete };
    const document = Buffer.from(JSON.stringify(documentOf(envelope, region, request, response, cut)));
    const over = document.byteLength - limitBytes;
    if (over <= 0) return document;
    if (response.byteLength > 0) {
      response = shorter(response, over);
      complete = false;
    } else if (request.byteLength > 0) request = shorter(request, over);
    else return document;
  }
}

/** One byte may become six in JSON: cut by less than `over` and look again, but never by nothing. */
function shorter(bytes: Buffer, over: number): Buffer {
  const less = Math.max(64, Math.floor(over / 6), over > bytes.byteLength ? Math.floor(bytes.byteLength / 2) : 0);
  return bytes.subarray(0, Math.max(0, bytes.byteLength - less));
}

function documentOf(
  envelope: DeliveryEnvelope,
  region: string,
  request: Buffer,
  response: Buffer,
  cut: { readonly request: boolean; readonly response: boolean },
): unknown {
  const { account, functionName, qualifier, requestId, condition, statusCode, functionError, invokeCount } = envelope;
  const arn = functionArn(region, account, functionName, qualifier === 'LATEST' ? undefined : qualifier);
  return {
    timestamp: envelope.at,
    requestContext: {
      requestId,
      functionArn: arn,
      condition,
      approximateInvokeCount: invokeCount,
      ...(cut.request ? { truncated: true } : {}),
    },
    requestPayload: request.toString(),
    responseContext: { statusCode, functionError, ...(cut.response ? { truncated: true } : {}) },
    responsePayload: response.toString(),
  };
}
