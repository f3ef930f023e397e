import { Readable } from 'node:stream';
import busboy from 'busboy';
import { TidemillError } from '../../core/domain/errors.ts';
import { MAX_PUT_BYTES } from './body.ts';
import type { ObjectInfo } from '../../core/ports/object-store.ts';
import { causedBy } from '../wire/lineage.ts';
import type { Call } from './call.ts';
import { headerPrefix } from './dialect.ts';
import { readObjectHeaders, toHeaderValue } from './object-headers.ts';
import { type FormFields, verifyForm } from './post-policy.ts';
import { element } from './xml.ts';

const FORM_LIMITS = { fields: 100, fieldSize: 64 * 1024, fieldNameSize: 1024, files: 1, headerPairs: 100 };
const FORM_OVERHEAD_BYTES = 8 * 1024 * 1024;

interface Form {
  readonly fields: FormFields;
  readonly fileName: string;
  readonly fileType: string;
  readonly file: AsyncIterable<Uint8Array>;
  /** Resolves when the form has been read to its end; rejects when it is broken. */
  readonly ended: Promise<void>;
  /** Stops reading, wherever that is. */
  close(): void;
}

/** Upload by an HTML form: fields, then the file as the last one. */
export async function postObject(call: Call): Promise<void> {
  const form = await readForm(call);
  try {
    answer(call, form.fields, await storeFile(call, form));
  } finally {
    form.close();
  }
}

async function storeFile(call: Call, form: Form): Promise<ObjectInfo> {
  const { fields } = form;
  const context = { identity: call.options.identity, now: call.options.clock.now(), maxBytes: MAX_PUT_BYTES };
  const grant = verifyForm(fields, call.bucketName, context);
  const principal = grant?.principal ?? call.principal;
  if (grant !== undefined) call.options.identity.noteUse(grant.principal);
  const key = requireField(fields, 'key').replaceAll('${filename}', form.fileName);
  call.authorize({ bucket: call.bucket, key, permission: 'write', action: 'oss:PutObject' }, principal);
  const prefix = headerPrefix(call.dialect);
  refuseFields(fields, prefix);
  const writer = {
    account: principal?.account ?? call.bucket.account,
    requestId: call.requestId,
    sourceIp: call.request.remoteAddress,
    lineage: causedBy(call.options.callers, call.req, principal, call.requestId, 'object'),
  };
  const stored = readObjectHeaders(headerFields(fields), call.dialect);
  const options = {
    ...stored,
    contentType: stored.contentType ?? form.fileType,
    eventName: 'ObjectCreated:PostObject',
    condition: { mustNotExist: fields.get('x-oss-forbid-overwrite') === 'true' },
  } as const;
  const file = withSize(form.file, grant?.minBytes ?? 0, grant?.maxBytes ?? MAX_PUT_BYTES);
  return call.store.put(call.bucketName, key, untilEnd(file, form.ended), options, writer);
}

function readForm(call: Call): Promise<Form> {
  const contentType = call.request.header('content-type') ?? '';
  if (!/^multipart\/form-data/i.test(contentType)) {
    throw new TidemillError('InvalidArgument', 'POST to a bucket needs a body of type multipart/form-data');
  }
  const parser = openParser(contentType);
  const source = Readable.from(call.body.stream(MAX_PUT_BYTES + FORM_OVERHEAD_BYTES));
  const close = (): void => {
    source.destroy();
    parser.destroy();
  };
  const ended = new Promise<void>((resolve, reject) => {
    parser.once('close', resolve);
    parser.on('error', (error) => reject(brokenForm(error)));
  });
  // Read by whoever stores the file; nobody does when the form is refused before.
  ended.catch(() => undefined);
  const form = collectFields(parser, ended).then((start) => ({ ...start, ended, close }));
  source.once('error', (error) => parser.destroy(error));
  source.pipe(parser);
  return form.catch((error: unknown) => {
    close();
    throw error;
  });
}

function brokenForm(error: unknown): TidemillError {
  if (error instanceof TidemillError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new TidemillError('InvalidArgument', `The form is broken: ${detail}`);
}

/** Everything before the file, and the file itself, which must come last. */
function collectFields(parser: busboy.Busboy, ended: Promise<void>): Promise<Omit<Form, 'ended' | 'close'>> {
  return new Promise((resolve, reject) => {
    const fields = new Map<string, string>();
    ended.then(() => reject(new TidemillError('InvalidArgument', 'The form has no file')), reject);
    parser.on('field', (name, value, info) => {
      if (info.valueTruncated || info.nameTruncated) {
        reject(new TidemillError('EntityTooLarge', `The form field ${name.slice(0, 40)} is too long`));
      }
      fields.set(name.toLowerCase(), value);
    });
    parser.on('fieldsLimit', () => {
      reject(new TidemillError('InvalidArgument', `A form has at most ${FORM_LIMITS.fields} fields`));
    });
    parser.on('file', (name, file, info) => {
      // Without a listener, a form that ends too early would take the process down.
      file.on('error', () => undefined);
      if (name.toLowerCase() !== 'file') {
        reject(
          new TidemillError('InvalidArgument', `The file is in the form field ${name.slice(0, 40)}, not in "file"`),
        );
        return;
      }
      resolve({ fields, fileName: info.filename ?? '', fileType: info.mimeType, file });
    });
  });
}

function openParser(contentType: string): busboy.Busboy {
  try {
    return busboy({
      headers: { 'content-type': contentType },
      limits: FORM_LIMITS,
      preservePath: false,
      defParamCharset: 'utf8',
    });
  } catch {
    throw new TidemillError('InvalidArgument', 'The multipart/form-data content type has no boundary');
  }
}

async function* withSize(file: AsyncIterable<Uint8Array>, min: number, max: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of file) {
    size += chunk.length;
    if (size > max) throw new TidemillError('EntityTooLarge', `The file is larger than the ${max} bytes allowed`);
    yield chunk;
  }
  if (size < min) throw new TidemillError('EntityTooSmall', `The file is smaller than the ${min} bytes required`);
}

/** The file is whole only when the form around it is; why it is not, the form knows better. */
async function* untilEnd(file: AsyncIterable<Uint8Array>, ended: Promise<void>): AsyncGenerator<Uint8Array> {
  try {
    yield* file;
  } catch (error) {
    if (error instanceof TidemillError) throw error;
    await ended;
    throw brokenForm(error);
  }
  await ended;
}

function requireField(fields: FormFields, name: string): string {
  const value = fields.get(name);
  if (value !== undefined && value !== '') return value;
  throw new TidemillError('InvalidArgument', `The form field ${name} is missing`);
}

const KNOWN_FIELDS =
  /^(acl|x-(oss|amz)-(signature|signature-version|algorithm|credential|date|security-token|meta-.*|forbid-overwrite|storage-class|content-type))$/;

/** Fields that ask for what is not there are refused by name. */
function refuseFields(fields: FormFields, prefix: string): void {
  for (const [name, value] of fields) {
    const standard = name.endsWith('storage-class') && value.toLowerCase() !== 'standard';
    const unknown = name.startsWith(prefix) && !KNOWN_FIELDS.test(name);
    if (standard || unknown || name === 'acl' || name === 'callback') {
      throw new TidemillError('NotSupported', `The form field ${name} is not supported`, { remedy: 'Leave it out.' });
    }
  }
}

function headerFields(fields: FormFields): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const [name, value] of fields) {
    const header = name === 'x-oss-content-type' ? 'content-type' : name;
    if (/^(content-|cache-control$|expires$|x-(oss|amz)-meta-)/.test(header))
      headers.set(header, toHeaderValue(name, value));
  }
  return headers;
}

/** `success_action_redirect`, or `success_action_status` 200, 201 (a document) or 204. */
function answer(call: Call, fields: FormFields, info: { bucket: string; key: string; etag: string }): void {
  const headers = { etag: `"${info.etag}"` };
  const redirect = fields.get('success_action_redirect');
  if (redirect !== undefined && URL.canParse(redirect)) {
    const url = new URL(redirect);
    url.searchParams.set('bucket', info.bucket);
    url.searchParams.set('key', info.key);
    url.searchParams.set('etag', `"${info.etag}"`);
    call.empty(303, { ...headers, location: url.href });
    return;
  }
  const status = fields.get('success_action_status');
  if (status !== '201') {
    call.empty(status === '200' ? 200 : 204, headers);
    return;
  }
  const location = `http://${call.request.header('host') ?? ''}${call.request.path.replace(/\/$/, '')}/${encodeURI(info.key)}`;
  const fieldsOfAnswer = [
    element('Location', location),
    element('Bucket', info.bucket),
    element('Key', info.key),
    element('ETag', headers.etag),
  ];
  call.xml('PostResponse', fieldsOfAnswer, headers, 201);
}
