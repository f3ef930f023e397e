import type { IncomingMessage, ServerResponse } from 'node:http';
import { toHex } from '../../core/base/ids.ts';
import { objectArn } from '../../core/domain/arn.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { type Address, addressCandidates, DEFAULT_BASE_HOSTS } from './address.ts';
import { authenticate, requireAccount } from './authenticate.ts';
import { authorize, checkExpectedOwner, conditionsOf } from './authorize.ts';
import { RequestBody } from './body.ts';
import { Call, type ObjectsDoorOptions } from './call.ts';
import { allowOrigin, answerPreflight } from './cors.ts';
import { type Dialect, dialectOf } from './dialect.ts';
import { failureDocument, failureOf } from './failures.ts';
import { restoreHoistedHeaders } from './presigned-headers.ts';
import { type ObjectsRequest, readRequest } from './request.ts';
import { findRoute, type Route } from './routes.ts';

export type { ObjectsDoorOptions } from './call.ts';

/** The objects endpoint: mount both on a server of its own. */
export interface ObjectsDoor {
  /** For `server.on('request', ...)`. */
  handle(req: IncomingMessage, res: ServerResponse): void;
  /** For `server.on('checkContinue', ...)`: asks for the body only once it is wanted, so that a refused upload never starts. */
  checkContinue(req: IncomingMessage, res: ServerResponse): void;
}

/** Bytes of an unwanted body that are read so that the client gets to see the refusal. */
const DRAINED_BYTES = 4 * 1024 * 1024;
const DRAIN_MS = 2_000;

/** Speaks OSS and S3 in front of an object store. */
export function createObjectsDoor(options: ObjectsDoorOptions): ObjectsDoor {
  const baseHosts = options.baseHosts ?? DEFAULT_BASE_HOSTS;
  const start = (req: IncomingMessage, res: ServerResponse, awaitsContinue: boolean): void => {
    void serve(options, baseHosts, req, res, awaitsContinue).catch((error: unknown) => {
      options.logger.log('error', 'the objects door could not answer', { error: String(error) });
      res.destroy();
    });
  };
  return {
    handle: (req, res) => start(req, res, false),
    checkContinue: (req, res) => start(req, res, true),
  };
}

async function serve(
  options: ObjectsDoorOptions,
  baseHosts: readonly string[],
  req: IncomingMessage,
  res: ServerResponse,
  awaitsContinue: boolean,
): Promise<void> {
  const requestId = toHex(options.random.bytes(12)).toUpperCase();
  let dialect: Dialect = 'oss';
  let request: ObjectsRequest | undefined;
  try {
    request = readRequest(req);
    dialect = dialectOf(request);
    res.setHeader(dialect === 'oss' ? 'x-oss-request-id' : 'x-amz-request-id', requestId);
    allowOrigin(request, res);
    if (request.method === 'OPTIONS') answerPreflight(request, res);
    else await dispatch(options, { req, res, awaitsContinue }, request, { baseHosts, dialect, requestId });
  } catch (error) {
    await refuse(options, { req, res }, error, {
      requestId,
      dialect,
      path: request?.path ?? '',
      method: req.method ?? '',
    });
  }
}

async function dispatch(
  options: ObjectsDoorOptions,
  exchange: { req: IncomingMessage; res: ServerResponse; awaitsContinue: boolean },
  signed: ObjectsRequest,
  context: { baseHosts: readonly string[]; dialect: Dialect; requestId: string },
): Promise<void> {
  const { baseHosts, dialect, requestId } = context;
  const candidates = addressCandidates(signed.host, signed.path, baseHosts);
  const signature = { identity: options.identity, now: options.clock.now(), candidates };
  const { principal, address, payload } = authenticate(signed, signature);
  if (principal !== undefined) options.identity.noteUse(principal);
  const request = restoreHoistedHeaders(signed);
  const route = findRoute(request, address, dialect);
  const { access, region } = options;
  const conditions = conditionsOf(exchange.req, request, route.action);
  if (route.permission === 'account') {
    requireAccount(principal);
    const resource = objectArn(region, principal.account, address.bucket ?? '*');
    access.check(principal, route.action, resource, conditions);
  }
  const target = await findTarget(options, route, address);
  if (target.bucket !== undefined) checkExpectedOwner(target.bucket, request.header('x-amz-expected-bucket-owner'));
  if (target.bucket !== undefined && route.checksItself !== true) {
    const asked = { bucket: target.bucket, key: address.key, permission: route.permission, action: route.action };
    authorize({ access, region, principal, conditions }, asked);
  }
  if (principal === undefined && request.query.some(([name]) => name.startsWith('response-'))) {
    throw new TidemillError('InvalidArgument', 'Only signed requests may override response headers');
  }
  const body = new RequestBody(exchange, request, payload);
  const { req, res } = exchange;
  await route.run(new Call({ options, req, res, request, dialect, requestId, principal, conditions, body, target }));
}

async function findTarget(options: ObjectsDoorOptions, route: Route, address: Address): Promise<Call['target']> {
  const name = address.bucket ?? '';
  const key = address.key ?? '';
  if (route.permission === 'account') return { bucket: undefined, name, key };
  const bucket = await options.store.bucket(name);
  if (bucket === undefined)
    throw new TidemillError('NoSuchBucket', `The bucket "${name.slice(0, 100)}" does not exist`);
  return { bucket, name, key };
}

async function refuse(
  options: ObjectsDoorOptions,
  exchange: { req: IncomingMessage; res: ServerResponse },
  error: unknown,
  context: { requestId: string; dialect: Dialect; path: string; method: string },
): Promise<void> {
  const { req, res } = exchange;
  const { requestId, dialect, path, method } = context;
  const clientLeft = (error instanceof TidemillError && error.code === 'ClientClosedRequest') || res.destroyed;
  if (!(error instanceof TidemillError) && !clientLeft) {
    const detail = error instanceof Error ? error.stack : String(error);
    options.logger.log('error', 'an object request failed', { requestId, method, error: detail });
  }
  // Halfway through an answer the only honest end is a broken connection.
  if (res.headersSent || clientLeft) {
    res.destroy();
    return;
  }
  const failure = failureOf(error, dialect);
  const document = Buffer.from(failureDocument(failure, { requestId, host: req.headers.host ?? '', path }), 'utf8');
  const unread = !req.complete;
  res.writeHead(failure.status, {
    'content-type': 'application/xml',
    'content-length': String(document.length),
    // A HEAD has no body to tell more in: OSS clients read this header.
    ...(method === 'HEAD' && dialect === 'oss' ? { 'x-oss-err': document.toString('base64') } : {}),
    ...(unread ? { connection: 'close' } : {}),
  });
  if (method !== 'HEAD') res.write(document);
  if (unread) await drain(options, req);
  res.end();
}

/** Reads on for a while: a connection closed on bytes under way would be reset, and the client would never see why. */
async function drain(options: ObjectsDoorOptions, req: IncomingMessage): Promise<void> {
  // A client that waits for leave to send has not sent anything.
  if (/100-continue/i.test(req.headers.expect ?? '')) return;
  await new Promise<void>((resolve) => {
    const timer = options.clock.after(DRAIN_MS, resolve);
    let size = 0;
    req.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > DRAINED_BYTES) resolve();
    });
    req.once('close', () => {
      timer.dispose();
      resolve();
    });
    req.once('end', () => {
      timer.dispose();
      resolve();
    });
    req.resume();
  });
}
