import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../core/base/clock.ts';
import { toOriginForm } from './absolute-target.ts';
import { type ConnectionBounds, limitConnections } from './connection-limits.ts';
import { type PlainCalls, PlainConnections } from './plain-connections.ts';
import { StalledBodies } from './stalled-bodies.ts';

type Handler = (req: IncomingMessage, res: ServerResponse) => void;

/** A certificate chain and its key, PEM. */
export interface TlsKeys {
  readonly cert: string;
  readonly key: string;
}

/** One HTTP server on an inherited socket. */
export interface HttpListener {
  readonly port: number;
  /** Connections from now on get this certificate; those that are open keep theirs. Only for a listener with TLS. */
  renew(identity: TlsKeys): void;
  /** Stops accepting, lets what runs finish for `graceMs`, then cuts. */
  drain(graceMs: number): Promise<void>;
}

export interface ListenerOptions {
  readonly descriptor: number;
  readonly handle: Handler;
  readonly checkContinue?: Handler;
  /** Makes the request id of an answer to something that is no HTTP request. */
  readonly newId: () => string;
  /** Requests that are answered without `node:http` when they come in the plain form. */
  readonly plain?: PlainCalls;
  /** Who takes requests to change the protocol; others are answered as if they had not asked. */
  readonly upgrades?: Upgrades;
  readonly clock: Clock;
  /** With it the listener speaks TLS 1.2 or newer and nothing else. */
  readonly tls?: TlsKeys;
  /** Open connections; without it those of the limits table. */
  readonly bounds?: ConnectionBounds;
}

export interface Upgrades {
  takes(req: IncomingMessage): boolean;
  open(req: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** Node's own head limit stands above ours (8 KB), so that ours answers in the dialect's shape. */
const MAX_HEADER_BYTES = 32 * 1024;
/** A client gets this long for its headers; bodies may take as long as they move: none may stop for longer than this. */
const HEADERS_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_MS = 65_000;
/** A client gets this long until it has agreed on keys. */
const HANDSHAKE_MS = 10_000;

/** Accepts on a listening descriptor that the supervisor keeps open over restarts. */
export async function listenOn(options: ListenerOptions): Promise<HttpListener> {
  const server = serverOf(options);
  const upgraded = new Set<Duplex>();
  server.on('upgrade', (req, socket, head) => {
    upgraded.add(socket);
    socket.once('close', () => upgraded.delete(socket));
    options.upgrades?.open(req, socket, head);
  });
  const bodies = new StalledBodies(options.clock, HEADERS_TIMEOUT_MS);
  server.on('request', (req) => bodies.watch(req));
  server.on('request', inOriginForm(options.handle));
  if (options.checkContinue !== undefined) server.on('checkContinue', inOriginForm(options.checkContinue));
  if (options.checkContinue !== undefined) server.prependListener('checkContinue', (req) => bodies.watch(req));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) return socket.destroy();
    const tooLarge = error.code === 'HPE_HEADER_OVERFLOW';
    const requestId = options.newId();
    const body = JSON.stringify({
      RequestId: requestId,
      Code: 'InvalidArgument',
      Message: tooLarge ? 'the request headers are larger than 8192 bytes' : 'the request is not valid HTTP/1.1',
    });
    socket.end(
      `HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nx-fc-request-id: ${requestId}\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
    );
    return undefined;
  });
  const accepted = options.tls === undefined ? 'connection' : 'secureConnection';
  const plain = options.plain === undefined ? undefined : inFrontOf(server, options.plain, options.clock, accepted);
  limitConnections(server, options.bounds);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ fd: options.descriptor }, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    renew: (keys) => {
      if (options.tls === undefined) throw new Error('a listener without TLS has no certificate');
      (server as TlsServer).setSecureContext({ ...keys, minVersion: 'TLSv1.2' });
    },
    drain: (graceMs) => {
      // Sessions have no end of their own.
      for (const socket of upgraded) socket.destroy();
      return drain(server, plain, graceMs).finally(() => bodies.dispose());
    },
  };
}

function serverOf({ tls, upgrades }: ListenerOptions): Server | TlsServer {
  const settings = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    noDelay: true,
    shouldUpgradeCallback: (req: IncomingMessage) => upgrades?.takes(req) ?? false,
  };
  if (tls === undefined) return createServer(settings);
  const server = createTlsServer({ ...settings, ...tls, minVersion: 'TLSv1.2', handshakeTimeout: HANDSHAKE_MS });
  // Who speaks something else, or nothing, is cut off: there is no channel to answer on.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return server;
}

function inOriginForm(handle: Handler): Handler {
  return (req, res) => {
    toOriginForm(req);
    handle(req, res);
  };
}

/** Plain connections come before the server's own, which takes over each socket that turns out to need it. */
function inFrontOf(
  server: Server | TlsServer,
  calls: PlainCalls,
  clock: Clock,
  accepted: 'connection' | 'secureConnection',
): PlainConnections {
  const native = server.listeners(accepted) as ((this: Server | TlsServer, socket: Socket) => void)[];
  const plain = new PlainConnections({
    calls,
    clock,
    headersTimeoutMs: HEADERS_TIMEOUT_MS,
    keepAliveMs: KEEP_ALIVE_MS,
    handOver: (socket) => {
      for (const listener of native) listener.call(server, socket);
    },
  });
  server.removeAllListeners(accepted);
  server.on(accepted, (socket: Socket) => plain.accept(socket));
  return plain;
}

async function drain(server: Server | TlsServer, plain: PlainConnections | undefined, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  plain?.drain();
  server.closeIdleConnections();
  const cut = setTimeout(() => {
    plain?.closeAll();
    server.closeAllConnections();
  }, graceMs);
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  await closed;
  clearTimeout(cut);
  clearInterval(sweep);
  plain?.dispose();
}
