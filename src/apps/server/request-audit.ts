import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../core/base/clock.ts';
import type { Disposable } from '../../core/base/disposable.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Principal } from '../../core/domain/credentials.ts';
import type { Access } from '../../core/ports/access.ts';
import type { AuditEntry, AuditLog } from '../../core/ports/audit-log.ts';
import type { TidemillError } from '../../core/domain/errors.ts';
import { refusalOf } from '../../doors/wire/answer.ts';
import type { RequestHead } from '../../doors/wire/exchange.ts';
import { HttpConditions } from '../../doors/wire/request-conditions.ts';
import { Denials } from './denials.ts';

type Handler = (req: IncomingMessage, res: ServerResponse) => void;

/** What is learnt of a request while it is answered. */
interface Note {
  principal?: Principal;
  action?: string;
  resource?: string;
}

/** Calls of functions and the data of objects are not control: they are in the facts, and here only when they are denied. */
const INVOKE = 'fc:InvokeFunction';
const INVOCATION_PATH = /^\/2023-03-30\/functions\/[^/]+\/invocations(?:\?|$)/;
const OPEN_PATH = /^\/tidemill\/(?:v1\/(?:health|metrics)|code\/)/;
const BUCKET_CHANGE = /^oss:(?!Get|List)\w*Bucket/;
const KEY_ID = /(?:Credential=|^OSS |^AWS )([^,/:\s]+)/;
const REQUEST_ID = /"RequestId":"([\w-]+)"/;
const LOOK_BYTES = 4_096;
/** Request ids that were given together with the status. */
const written = new WeakMap<ServerResponse, string>();
const CODE = /"Code":"(\w+)"|<Code>(\w+)<\/Code>/;

/**
 * Follows requests to the audit log, without the doors knowing of it: who asks is learnt from the decisions on rights, what came of it from
 * the answer. An answer to a control call waits until its record is on disk; denials do not wait, and many alike stand in one record.
 */
export class RequestAudit implements Disposable {
  private readonly log: AuditLog;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly denials: Denials;
  private readonly notes = new WeakMap<object, Note>();

  constructor(parts: { readonly log: AuditLog; readonly clock: Clock; readonly logger: Logger }) {
    this.log = parts.log;
    this.clock = parts.clock;
    this.logger = parts.logger;
    this.denials = new Denials(parts.clock, (entry) => void this.append(entry));
  }

  dispose(): void {
    this.denials.dispose();
  }

  /** Decisions as they are, and noted with the request they are about. The warm call costs nothing: it is not noted. */
  access(inner: Access): Access {
    const note = (principal: Principal, action: string, resource: string, context: unknown): void => {
      if (!(context instanceof HttpConditions)) return;
      const known = this.noteOf(context.request);
      known.principal = principal;
      // The first right asked for names the call; further ones are those of what it refers to.
      known.action ??= action;
      known.resource ??= resource;
    };
    return {
      decide: (principal, action, resource, context) => {
        if (action !== INVOKE) note(principal, action, resource, context);
        return inner.decide(principal, action, resource, context);
      },
      check: (principal, action, resource, context) => {
        try {
          inner.check(principal, action, resource, context);
        } catch (error) {
          note(principal, action, resource, context);
          throw error;
        }
        if (action !== INVOKE) note(principal, action, resource, context);
      },
    };
  }

  /** For requests that no right was asked for: who signed them. */
  signed(req: object, principal: Principal): void {
    this.noteOf(req).principal = principal;
  }

  /** Answers of API doors: every call but those of functions is a control call. */
  control(handle: Handler): Handler {
    return this.following(handle, (req, note) => {
      const target = req.url ?? '/';
      return note.principal !== undefined && !INVOCATION_PATH.test(target) && !OPEN_PATH.test(target);
    });
  }

  /** Answers of the door to objects: changes of buckets are control calls. */
  objects(handle: Handler): Handler {
    return this.following(handle, (_req, { action }) => action !== undefined && BUCKET_CHANGE.test(action));
  }

  /** Answers of the door to triggers: what functions answer is theirs, what the platform refuses may be a denial. */
  triggers(handle: Handler): Handler {
    return (req, res) => {
      res.once('close', () => {
        const refusal = refusalOf(res);
        if (refusal === undefined || !isDenial(res.statusCode)) return;
        this.denials.add(this.entryOf(req, { ...refusal, outcome: 'denied' }));
      });
      handle(req, res);
    };
  }

  /** A call that was answered without `node:http` and denied. */
  refused(head: RequestHead, requestId: string, { code, status }: TidemillError): void {
    if (isDenial(status)) this.denials.add(this.entryOf(head, { requestId, code, outcome: 'denied' }));
  }

  /** A request for a session inside an instance, which has no answer but a connection: `error` says why there is none. */
  async session(head: RequestHead, requestId: string, error: TidemillError | undefined): Promise<void> {
    if (error !== undefined && isDenial(error.status)) return this.refused(head, requestId, error);
    if (this.noteOf(head).principal === undefined) return undefined;
    const outcome = error === undefined ? 'done' : 'failed';
    return this.append(this.entryOf(head, { requestId, code: error?.code ?? '', outcome }));
  }

  private following(handle: Handler, isControl: (req: IncomingMessage, note: Note) => boolean): Handler {
    return (req, res) => {
      rememberRequestId(res);
      const end = res.end.bind(res) as (...parts: unknown[]) => ServerResponse;
      res.end = ((...parts: unknown[]) => {
        res.end = end as typeof res.end;
        const { statusCode } = res;
        const denied = isDenial(statusCode);
        const control = isControl(req, this.noteOf(req));
        if (!denied && !control) return end(...parts);
        const refusal = refusalOf(res);
        const code = statusCode < 400 ? '' : (refusal?.code ?? codeOf(parts[0]));
        const requestId = refusal?.requestId ?? requestIdIn(res, parts[0]);
        const outcome = denied ? 'denied' : statusCode < 400 ? 'done' : 'failed';
        const entry = this.entryOf(req, { requestId, code, outcome });
        if (denied) {
          this.denials.add(entry);
          return end(...parts);
        }
        void this.append(entry).then(() => end(...parts));
        return res;
      }) as typeof res.end;
      handle(req, res);
    };
  }

  private entryOf(
    req: RequestHead,
    about: { readonly requestId: string; readonly code: string; readonly outcome: AuditEntry['outcome'] },
  ): AuditEntry {
    const { principal, action, resource } = this.noteOf(req);
    const path = (req.url ?? '/').split('?', 1)[0] ?? '/';
    return {
      at: this.clock.now(),
      requestId: about.requestId,
      account: principal?.account ?? '',
      principal: principal?.arn ?? '',
      accessKeyId: KEY_ID.exec(req.headers.authorization ?? '')?.[1]?.slice(0, 128) ?? '',
      sourceIp: (req.socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
      action: action ?? `${req.method ?? ''} ${path.slice(0, 512)}`,
      resource: resource ?? '',
      outcome: about.outcome,
      code: about.code,
      count: 1,
    };
  }

  private noteOf(req: object): Note {
    let note = this.notes.get(req);
    if (note === undefined) {
      note = {};
      this.notes.set(req, note);
    }
    return note;
  }

  /** Never rejects: what was done is done, and that it is not on record is said in the log. */
  private append(entry: AuditEntry): Promise<void> {
    return this.log.append(entry).catch((error: unknown) => {
      this.logger.log('error', 'a control call is not on record', { ...entry, error: String(error) });
    });
  }
}

function rememberRequestId(res: ServerResponse): void {
  const writeHead = res.writeHead.bind(res) as (...parts: unknown[]) => ServerResponse;
  res.writeHead = (...parts: unknown[]) => {
    const headers = parts.at(-1);
    const value = Array.isArray(headers)
      ? (headers[headers.indexOf('x-fc-request-id') + 1] as unknown)
      : (headers as Record<string, unknown> | undefined)?.['x-fc-request-id'];
    if (typeof value === 'string') written.set(res, value);
    return writeHead(...parts);
  };
}

function isDenial(status: number): boolean {
  return status === 401 || status === 403;
}

/** Doors give it in a header of their dialect; headers that were given with the status are not to be had any more, but in the body. */
function requestIdIn(res: ServerResponse, body: unknown): string {
  for (const name of ['x-fc-request-id', 'x-oss-request-id', 'x-amz-request-id']) {
    const value = res.getHeader(name);
    if (typeof value === 'string') return value;
  }
  return written.get(res) ?? REQUEST_ID.exec(textOf(body))?.[1] ?? '';
}

function codeOf(body: unknown): string {
  const [, json, xml] = CODE.exec(textOf(body)) ?? [];
  return json ?? xml ?? '';
}

function textOf(body: unknown): string {
  if (typeof body === 'string') return body.slice(0, LOOK_BYTES);
  if (body instanceof Uint8Array)
    return Buffer.from(body.buffer, body.byteOffset, Math.min(body.length, LOOK_BYTES)).toString();
  return '';
}
