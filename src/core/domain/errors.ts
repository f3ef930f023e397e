/** Who has to act so that the call succeeds next time. */
export type Culprit = 'caller' | 'function' | 'limit' | 'platform';

interface ErrorRow {
  readonly culprit: Culprit;
  /** HTTP status in our native dialect (FC 3.0); other doors map from the code. */
  readonly status: number;
  /** What the reader can do about it. */
  readonly remedy: string;
}

function row(culprit: Culprit, status: number, remedy: string): ErrorRow {
  return { culprit, status, remedy };
}

/**
 * The one error table. Codes are those of Function Compute 3.0 (FC reference 2.4) where it has one; the last block is
 * ours. Every door maps from here, and tests compare this table with docs/reference/errors.md.
 */
export const ERRORS = {
  // the caller's request
  InvalidArgument: row('caller', 400, 'Correct the named field and send the request again.'),
  InstanceMetricsRequired: row('caller', 400, 'Set logConfig.enableInstanceMetrics of the function to true first.'),
  MalformedPolicyDocument: row('caller', 400, 'Correct the policy at the place that the message names.'),
  MissingRequiredHeader: row('caller', 400, 'Send the named header.'),
  PathNotSupported: row('caller', 400, 'Check method and path against the API reference.'),
  EntityTooLarge: row('caller', 400, 'Send less, or pass a reference to an object instead of the data itself.'),
  AccessDenied: row('caller', 403, 'Use credentials that are allowed to do this, and check the clock of the caller.'),
  SignatureNotMatch: row('caller', 403, 'Check the access key secret and the signing method.'),
  InvalidAccessKeyID: row('caller', 403, 'Use an access key id that exists on this installation.'),
  FunctionNotFound: row('caller', 404, 'Create the function, or check its name and region.'),
  VersionNotFound: row('caller', 404, 'Publish the version, or list the versions that exist.'),
  AliasNotFound: row('caller', 404, 'Create the alias, or list the aliases that exist.'),
  TriggerNotFound: row('caller', 404, 'Create the trigger, or list the triggers that exist.'),
  LayerNotFound: row('caller', 404, 'Create the layer, or list the layers that exist.'),
  LayerVersionNotFound: row('caller', 404, 'Create the layer version, or list the versions that exist.'),
  AsyncConfigNotExists: row('caller', 404, 'Put an async invoke config for this function and qualifier first.'),
  AsyncTaskNotFound: row(
    'caller',
    404,
    'List the tasks of the function: only calls of functions with asyncTask are kept.',
  ),
  DeadLetterNotFound: row('caller', 404, 'List the dead letters: it was redriven, deleted or is too old.'),
  InvocationNotFound: row(
    'caller',
    404,
    'Check the id; the log of calls is kept for a week, and only failed calls can be replayed.',
  ),
  ReplayNotPossible: row('caller', 409, 'The message says what is gone.'),
  OnDemandConfigNotFound: row('caller', 404, 'Put a concurrency config for this function first.'),
  DomainNameNotFound: row('caller', 404, 'Create the custom domain first.'),
  FunctionAlreadyExists: row('caller', 409, 'Choose another name or update the existing function.'),
  AliasAlreadyExists: row('caller', 409, 'Choose another name or update the existing alias.'),
  TriggerAlreadyExists: row('caller', 409, 'Choose another name or update the existing trigger.'),
  AsyncTaskAlreadyExists: row('caller', 409, 'Choose another task id: this one was already submitted.'),
  ConcurrentUpdateError: row('caller', 409, 'Read the resource again and repeat the update.'),
  ProvisionConfigExist: row('caller', 409, 'Delete the provision config first.'),
  ResidentScalingConfigExists: row('caller', 409, 'Delete the scaling config first.'),
  Unauthorized: row('caller', 401, 'Send the credentials that the trigger asks for.'),
  InvalidWebhookSignature: row('caller', 401, 'Give the sender and the trigger the same secret.'),
  InvalidSession: row('caller', 401, 'Start a new session: send the request without the session id.'),
  ClientClosedRequest: row('caller', 499, 'None needed: the caller went away before the answer.'),
  // objects (the names that both dialects of the objects door share)
  NoSuchBucket: row('caller', 404, 'Create the bucket, or list the buckets that exist.'),
  NoSuchKey: row('caller', 404, 'Put the object first, or list the objects that exist.'),
  NoSuchUpload: row(
    'caller',
    404,
    'Initiate a new multipart upload: this one was completed, aborted or never existed.',
  ),
  BucketAlreadyExists: row('caller', 409, 'Choose another bucket name: this one belongs to somebody else.'),
  FileAlreadyExists: row('caller', 409, 'Choose another key, or allow the object to be replaced.'),
  BucketNotEmpty: row('caller', 409, 'Delete the objects in the bucket and abort its multipart uploads first.'),
  InvalidBucketName: row('caller', 400, 'Use 3 to 63 lower-case letters, digits, dots and hyphens.'),
  InvalidObjectName: row('caller', 400, 'Use 1 to 1023 bytes of UTF-8 without the character U+0000.'),
  BadDigest: row('caller', 400, 'Send the object again: the bytes that arrived do not have the checksum announced.'),
  InvalidPart: row('caller', 400, 'Upload the named part again and use the ETag of the answer.'),
  InvalidPartOrder: row('caller', 400, 'List the parts in ascending order, each once.'),
  EntityTooSmall: row('caller', 400, 'Make every part but the last one larger.'),
  PreconditionFailed: row('caller', 412, 'Read the object again and repeat with its current ETag.'),
  InvalidRange: row('caller', 416, 'Ask for a range inside the object.'),
  RequestTimeTooSkewed: row('caller', 403, 'Set the clock of the caller: it may differ by at most 15 minutes.'),
  MalformedXML: row('caller', 400, 'Send the XML document that the API reference describes.'),
  IncompleteBody: row('caller', 400, 'Send as many bytes as the request announces.'),
  MethodNotAllowed: row('caller', 405, 'Use a method that the resource has.'),
  // accounts and identities (the names that RAM and STS have for them)
  AccountNotFound: row('caller', 404, 'List the accounts that exist: tidemill account list.'),
  AccountDisabled: row('caller', 403, 'Ask the operator to enable the account again.'),
  AccountNotEmpty: row('caller', 409, 'Delete what the message names first.'),
  'EntityNotExist.User': row('caller', 404, 'Create the user, or list the users that exist.'),
  'EntityNotExist.User.AccessKey': row('caller', 404, 'List the access keys of the user.'),
  'EntityNotExist.User.Policy': row('caller', 404, 'List the policies attached to the user.'),
  'EntityNotExist.Group': row('caller', 404, 'Create the group, or list the groups that exist.'),
  'EntityNotExist.Group.Policy': row('caller', 404, 'List the policies attached to the group.'),
  'EntityNotExist.Role': row('caller', 404, 'Create the role, or list the roles that exist.'),
  'EntityNotExist.Role.Policy': row('caller', 404, 'List the policies attached to the role.'),
  'EntityNotExist.Policy': row('caller', 404, 'Create the policy, or list the policies that exist.'),
  'EntityNotExist.Policy.Version': row('caller', 404, 'List the versions of the policy.'),
  'EntityAlreadyExists.User': row('caller', 409, 'Choose another name or update the existing user.'),
  'EntityAlreadyExists.User.Policy': row('caller', 409, 'None needed: the policy is attached already.'),
  'EntityAlreadyExists.Group': row('caller', 409, 'Choose another name or update the existing group.'),
  'EntityAlreadyExists.Group.Policy': row('caller', 409, 'None needed: the policy is attached already.'),
  'EntityAlreadyExists.Role': row('caller', 409, 'Choose another name or update the existing role.'),
  'EntityAlreadyExists.Role.Policy': row('caller', 409, 'None needed: the policy is attached already.'),
  'EntityAlreadyExists.Policy': row(
    'caller',
    409,
    'Choose another name or create a new version of the existing policy.',
  ),
  'DeleteConflict.User': row(
    'caller',
    409,
    'Delete the keys of the user, detach its policies, take it out of its groups.',
  ),
  'DeleteConflict.Group': row('caller', 409, 'Detach the policies of the group and take its users out of it.'),
  'DeleteConflict.Role.Policy': row('caller', 409, 'Detach the policies of the role first.'),
  'DeleteConflict.Policy': row('caller', 409, 'Detach the policy everywhere and delete its other versions first.'),
  // the function
  FunctionNotStarted: row('function', 412, 'Read the logs in the message: the custom runtime must listen on its port.'),
  CAExited: row('function', 412, 'Read the logs in the message: the start command ended early.'),
  BadResponse: row('function', 502, 'Answer with valid headers of at most 8 KB in total.'),
  // limits
  LimitExceededError: row(
    'limit',
    400,
    'Delete resources that are not needed, or ask the operator to raise the limit.',
  ),
  ResourceExhausted: row('limit', 429, 'Call again later, or raise the concurrency limit of the function or account.'),
  ResourceThrottled: row('limit', 503, 'Call again later: the machine has no room for another instance now.'),
  // the platform
  InternalServerError: row('platform', 500, 'Report the request id to the operator; the platform log has the details.'),
  NotSupported: row('platform', 400, 'Leave the named field or operation out: this platform does not have it yet.'),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/**
 * An expected failure with a code of the table. Doors turn it into their dialect's shape. `message` says what happened;
 * the remedy of the table says what to do, unless `remedy` is more precise.
 */
export class TidemillError extends Error {
  override readonly name = 'TidemillError';
  readonly code: ErrorCode;
  private readonly specificRemedy: string | undefined;

  constructor(code: ErrorCode, message: string, options?: { remedy?: string; cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.specificRemedy = options?.remedy;
  }

  get culprit(): Culprit {
    return ERRORS[this.code].culprit;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get remedy(): string {
    return this.specificRemedy ?? ERRORS[this.code].remedy;
  }
}

/** The message for a field or operation that exists in the dialect but not here: refused by name, with the remedy. */
export function notSupported(what: string, remedy: string): TidemillError {
  return new TidemillError('NotSupported', `${what} is not supported by this platform yet`, { remedy });
}
