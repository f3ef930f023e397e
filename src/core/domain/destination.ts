import { parseFunctionArn } from './arn.ts';

/** Where the result of an asynchronous invocation goes. */
export type Destination =
  | {
      readonly kind: 'function';
      /** Empty: the account of the function that ran. */
      readonly account: string;
      readonly functionName: string;
      readonly qualifier?: string;
    }
  /** A new object for each result, its key below `prefix`. */
  | { readonly kind: 'object'; readonly account: string; readonly bucket: string; readonly prefix: string }
  | { readonly kind: 'webhook'; readonly url: string };

const BUCKET = /^acs:oss:[^:]*:([^:]*):([a-z0-9][a-z0-9-]{1,61}[a-z0-9])(?:\/(.*))?$/;

/**
 * Reads a destination: a function's ARN (FC reference 1.11), `acs:oss:{region}:{account}:{bucket}[/{prefix}]` for objects (ours),
 * or an http or https URL. Undefined for anything else, topics and queues included: nothing here could take it.
 */
export function parseDestination(text: string): Destination | undefined {
  const target = parseFunctionArn(text);
  if (target !== undefined) {
    const { account, name, qualifier } = target;
    return { kind: 'function', account, functionName: name, ...(qualifier === undefined ? {} : { qualifier }) };
  }
  const [, account, bucket, prefix = ''] = BUCKET.exec(text) ?? [];
  if (account !== undefined && bucket !== undefined) return { kind: 'object', account, bucket, prefix };
  return isWebhook(text) ? { kind: 'webhook', url: text } : undefined;
}

/** An absolute http or https URL without credentials in it: they would be shown to everybody who may read the config. */
function isWebhook(text: string): boolean {
  if (!/^https?:\/\/[^/]/.test(text) || !URL.canParse(text)) return false;
  const url = new URL(text);
  return url.username === '' && url.password === '';
}
