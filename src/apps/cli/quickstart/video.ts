import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Fact } from '../../../core/domain/fact.ts';
import { opsPath } from '../api/fc-client.ts';
import type { ObjectInfo } from '../api/objects-client.ts';
import { uploadFile } from '../commands/objects.ts';
import type { Context } from '../context.ts';
import { EXIT, Failure } from '../failure.ts';
import { bytesText } from '../terminal/text.ts';

const FUNCTION = 'video-transcode';
export const BUCKET = 'videos';

/** Five seconds of ffmpeg's own test picture and a tone, 1280x720, made in a folder that `use` may read. */
async function withClip<T>(use: (path: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-clip-'));
  const path = join(folder, 'clip.mp4');
  const source = [
    '-f',
    'lavfi',
    '-i',
    'testsrc2=size=1280x720:rate=30:duration=5',
    '-f',
    'lavfi',
    '-i',
    'sine=frequency=440:duration=5',
  ];
  const target = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-shortest', path];
  try {
    await promisify(execFile)('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-nostdin', '-y', ...source, ...target]);
    return await use(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Uploads a generated clip to `in/`, and follows the function that this fires until its event has ended; resolves with what it wrote. */
export async function transcode(
  context: Context,
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<readonly ObjectInfo[]> {
  say('generating a clip with ffmpeg');
  const since = Date.now();
  await withClip(async (path) => {
    await uploadFile(context, path, { bucket: BUCKET, key: 'in/clip.mp4' }, (bytes, total) =>
      say(`uploading ${bytesText(bytes)} of ${bytesText(total)}`),
    );
  });
  say('uploaded; waiting for the function');
  await follow(context, since, say, signal);
  const made: ObjectInfo[] = [];
  for await (const page of context.objects.list(BUCKET, 'out/clip/')) made.push(...page.objects);
  return made;
}

async function follow(
  context: Context,
  since: number,
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const end = new AbortController();
  const stop = AbortSignal.any([end.signal, signal]);
  const facts = context.client.lines<Fact>('ReadLogs', opsPath`/functions/${FUNCTION}/logs`, {
    query: { follow: 'true', since: String(since) },
    signal: stop,
  });
  try {
    for await (const fact of facts) {
      if (fact.type === 'instance-started') say('an instance runs ffmpeg');
      else if (fact.type === 'output-written') say(/wrote .*/.exec(fact.text)?.[0] ?? 'transcoding');
      else if (fact.type === 'invocation-settled' && fact.errorType === undefined) return;
      else if (fact.type === 'invocation-settled')
        say(`failed (${fact.errorMessage ?? fact.errorType}); it is tried again`);
      else if (fact.type === 'event-ended' && fact.state !== 'Succeeded') {
        throw new Failure(EXIT.failed, `the transcoding failed: ${fact.message}`, {
          code: 'TranscodingFailed',
          culprit: 'function',
          remedy: `Read its log: tidemill logs ${FUNCTION}`,
          requestId: fact.requestId,
        });
      }
    }
  } finally {
    end.abort();
  }
}
