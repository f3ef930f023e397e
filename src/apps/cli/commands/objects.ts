import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ObjectInfo } from '../api/objects-client.ts';
import type { Context } from '../context.ts';
import { EXIT, Failure, unreachable, usage } from '../failure.ts';
import { runSteps } from '../terminal/progress.ts';
import { bytesText, durationText, table } from '../terminal/text.ts';

interface Place {
  readonly bucket: string;
  /** Empty: the bucket itself. */
  readonly key: string;
}

const EXAMPLE = 'Write tm://BUCKET/KEY, e.g. tm://videos/in/clip.mp4.';

/** `tm://bucket/key`, also `oss://`, `s3://`; undefined for a path on this machine. */
export function placeOf(text: string): Place | undefined {
  const match = /^(?:tm|oss|s3):\/\/([^/]*)\/?(.*)$/s.exec(text);
  if (match === null) return undefined;
  const [, bucket = '', key = ''] = match;
  if (bucket === '') throw usage(`${text} names no bucket`, EXAMPLE);
  return { bucket, key };
}

function required(text: string): Place {
  const place = placeOf(text) ?? placeOf(`tm://${text}`);
  if (place === undefined) throw usage(`${text} is no place in the object store`, EXAMPLE);
  return place;
}

export async function makeBucket(context: Context, text: string): Promise<number> {
  const { bucket, key } = required(text);
  if (key !== '') throw usage(`${text} names an object`, 'Give a bucket only: tidemill objects mb BUCKET.');
  const made = await context.objects.makeBucket(bucket);
  context.output.answer({ bucket, made }, () =>
    made ? `the bucket ${bucket} is made` : `the bucket ${bucket} was there already`,
  );
  return EXIT.ok;
}

/** Buckets, or what a bucket holds below a prefix: one level, or everything with `recursive`. */
export async function listObjects(
  context: Context,
  text: string | undefined,
  options: { readonly recursive?: boolean },
): Promise<number> {
  if (text === undefined) {
    const buckets = await context.objects.buckets();
    context.output.answer({ buckets }, () =>
      buckets.length === 0
        ? 'no buckets yet; make one: tidemill objects mb BUCKET'
        : table(
            ['BUCKET', 'MADE'],
            buckets.map((one) => [`tm://${one.name}`, one.created]),
          ),
    );
    return EXIT.ok;
  }
  const { bucket, key } = required(text);
  const objects: ObjectInfo[] = [];
  const folders: string[] = [];
  for await (const page of context.objects.list(bucket, key, options.recursive === true ? undefined : '/')) {
    objects.push(...page.objects);
    folders.push(...page.folders);
  }
  context.output.answer({ bucket, prefix: key, folders, objects }, () => {
    const rows = [
      ...folders.map((folder) => ['', '', folder]),
      ...objects.map((one) => [one.lastModified, bytesText(one.size), one.key]),
    ];
    return rows.length === 0 ? `nothing in tm://${bucket}/${key}` : table(['CHANGED', 'SIZE', 'KEY'], rows);
  });
  return EXIT.ok;
}

/** Either direction, or from one place in the store to another. */
export async function copyObject(context: Context, from: string, to: string): Promise<number> {
  const [source, target] = [placeOf(from), placeOf(to)];
  if (source !== undefined && source.key === '') throw usage(`${from} names a bucket, not an object`, EXAMPLE);
  const since = performance.now();
  let size: number | undefined;
  let end: string;
  if (source === undefined && target !== undefined) {
    const place = {
      ...target,
      key: target.key === '' || target.key.endsWith('/') ? target.key + basename(from) : target.key,
    };
    size = await upload(context, from, place);
    end = `tm://${place.bucket}/${place.key}`;
  } else if (source !== undefined && target !== undefined) {
    const place = {
      ...target,
      key: target.key === '' || target.key.endsWith('/') ? target.key + basename(source.key) : target.key,
    };
    await context.objects.copy(source, place);
    end = `tm://${place.bucket}/${place.key}`;
  } else if (source !== undefined) {
    if (to === '-') return show(context, source);
    end = await localTarget(to, source);
    size = await download(context, source, end);
  } else throw usage('neither side is in the object store', EXAMPLE);
  const ms = Math.round(performance.now() - since);
  context.output.answer(
    { from, to: end, size, durationMs: ms },
    () => `${from} -> ${end}${size === undefined ? '' : ` (${bytesText(size)}, ${durationText(ms)})`}`,
  );
  return EXIT.ok;
}

export async function uploadFile(
  context: Context,
  path: string,
  place: { readonly bucket: string; readonly key: string },
  moved: (bytes: number, total: number) => void,
): Promise<number> {
  const { size } = await stat(path).then(
    (found) => (found.isFile() ? found : Promise.reject(usage(`${path} is not a file`, 'Copy files one by one.'))),
    (error: Error) => Promise.reject(usage(`cannot read ${path}: ${error.message}`)),
  );
  const body = createReadStream(path, { highWaterMark: 1 << 20 }).pipe(counting((bytes) => moved(bytes, size)));
  await context.objects.put(place.bucket, place.key, body, size, contentTypeOf(path));
  return size;
}

async function upload(context: Context, path: string, place: Place): Promise<number> {
  let size = 0;
  const run = async (say: (text: string) => void): Promise<string> => {
    size = await uploadFile(context, path, place, (bytes, total) => say(percent(bytes, total)));
    return `Uploaded ${basename(path)} (${bytesText(size)})`;
  };
  await runSteps(context.output, [{ title: `Upload ${basename(path)}`, run }]);
  return size;
}

/** Into a neighbour of the target first, so that a broken download never looks like a whole file. */
async function download(context: Context, { bucket, key }: Place, path: string): Promise<number> {
  const draft = `${path}.${process.pid}.part`;
  let size = 0;
  const run = async (say: (text: string) => void): Promise<string> => {
    const answer = await context.objects.get(bucket, key);
    const total = Number(answer.headers['content-length'] ?? Number.NaN);
    try {
      const count = counting((bytes) => {
        size = bytes;
        if (total > 0) say(percent(bytes, total));
      });
      await pipeline(answer, count, createWriteStream(draft));
      if (size !== total && !Number.isNaN(total))
        throw unreachable(`the download broke at ${size} of ${total} bytes`, 'Try again.');
      await rename(draft, path);
    } catch (error) {
      await rm(draft, { force: true });
      if (error instanceof Failure) throw error;
      throw new Failure(EXIT.failed, `could not download to ${path}: ${(error as Error).message}`, {
        code: 'DownloadFailed',
        culprit: 'caller',
      });
    }
    return `Downloaded ${key} (${bytesText(size)})`;
  };
  await runSteps(context.output, [{ title: `Download ${key}`, run }]);
  return size;
}

async function show(context: Context, { bucket, key }: Place): Promise<number> {
  if (context.output.json) throw usage("'-' does not go with --json", 'Name a file.');
  await pipeline(await context.objects.get(bucket, key), process.stdout, { end: false });
  return EXIT.ok;
}

async function localTarget(to: string, source: Place): Promise<string> {
  const folder = to.endsWith('/') || (await stat(to).catch(() => undefined))?.isDirectory() === true;
  return folder ? join(to, basename(source.key)) : to;
}

/** An object, everything below a prefix, or with no key the (empty) bucket. */
export async function removeObjects(
  context: Context,
  text: string,
  options: { readonly recursive?: boolean },
): Promise<number> {
  const { bucket, key } = required(text);
  const removed: string[] = [];
  if (options.recursive === true) {
    for await (const page of context.objects.list(bucket, key)) {
      for (const object of page.objects) {
        await context.objects.remove(bucket, object.key);
        removed.push(object.key);
      }
    }
  } else if (key !== '') {
    await context.objects.remove(bucket, key);
    removed.push(key);
  }
  if (key === '') await context.objects.deleteBucket(bucket);
  context.output.answer({ bucket, removed, bucketRemoved: key === '' }, () =>
    key === ''
      ? `the bucket ${bucket} is removed`
      : removed.length === 0
        ? `nothing in tm://${bucket}/${key}`
        : removed.map((one) => `removed tm://${bucket}/${one}`).join('\n'),
  );
  return EXIT.ok;
}

function counting(moved: (bytes: number) => void): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      bytes += chunk.length;
      moved(bytes);
      done(null, chunk);
    },
  });
}

function percent(bytes: number, total: number): string {
  return `${Math.floor((bytes / Math.max(1, total)) * 100)} % of ${bytesText(total)}`;
}

const TYPES: Readonly<Record<string, string>> = {
  '.mp4': 'video/mp4',
  '.webm': 'video/webm',
  '.mov': 'video/quicktime',
  '.mp3': 'audio/mpeg',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.png': 'image/png',
  '.gif': 'image/gif',
  '.svg': 'image/svg+xml',
  '.html': 'text/html',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.txt': 'text/plain',
  '.csv': 'text/csv',
  '.pdf': 'application/pdf',
  '.zip': 'application/zip',
};

function contentTypeOf(path: string): string {
  return TYPES[extname(path).toLowerCase()] ?? 'application/octet-stream';
}
