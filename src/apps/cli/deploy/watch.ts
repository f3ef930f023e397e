import { relative } from 'node:path';
import { watch } from 'chokidar';
import { fcPath } from '../api/fc-client.ts';
import type { Context } from '../context.ts';
import { Failure } from '../failure.ts';
import { ignoreRules } from '../package/file-list.ts';
import { packFolder } from '../package/zip.ts';
import { durationText } from '../terminal/text.ts';
import { awaitLoaded } from './load-check.ts';
import { withCode } from './code-source.ts';

/** Editors save in bursts (write, rename, chmod): what follows within this time is one save. */
const BURST_MS = 25;

export interface Watched {
  readonly functionName: string;
  readonly folder: string;
  /** Checksum of what is deployed. */
  readonly checksum: string;
}

/**
 * Keeps a function's code equal to its folder until `signal` aborts: after a save the next call runs the new code. Every save is announced
 * with the time from the first change seen to the platform's answer; a load error is shown and watching goes on.
 */
export async function watchFolder(context: Context, watched: Watched, signal: AbortSignal): Promise<void> {
  const { functionName, folder } = watched;
  const ignored = ignoreRules(folder);
  const watcher = watch(folder, {
    ignoreInitial: true,
    ignored: (path, stats) => {
      const inside = relative(folder, path);
      return inside !== '' && ignored(stats?.isDirectory() === true ? `${inside}/` : inside);
    },
  });
  const saver = new Saver(context, watched);
  watcher.on('all', (_event, path) => saver.changed(relative(folder, path)));
  await new Promise<void>((resolve, reject) => {
    watcher.once('ready', resolve);
    watcher.once('error', reject);
  });
  context.output.item(
    { event: 'watching', functionName, folder },
    () => `Watching ${folder}; save a file and call ${functionName}. Ctrl-C ends.`,
  );
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await watcher.close();
  await saver.idle();
}

class Saver {
  private readonly context: Context;
  private readonly functionName: string;
  private readonly folder: string;
  private checksum: string;
  private readonly files = new Set<string>();
  private since = 0;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;

  constructor(context: Context, { functionName, folder, checksum }: Watched) {
    this.context = context;
    this.functionName = functionName;
    this.folder = folder;
    this.checksum = checksum;
  }

  changed(path: string): void {
    if (this.files.size === 0) this.since = performance.now();
    this.files.add(path);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), BURST_MS);
  }

  async idle(): Promise<void> {
    clearTimeout(this.timer);
    await this.running;
  }

  /** One save at a time: what changes meanwhile is the next one. */
  private save(): void {
    if (this.running !== undefined || this.files.size === 0) return;
    const files = [...this.files];
    const since = this.since;
    this.files.clear();
    this.running = this.send(files, since)
      .catch((error: unknown) => {
        if (error instanceof Failure) this.context.output.failure(error);
        else throw error;
      })
      .finally(() => {
        this.running = undefined;
        this.save();
      });
  }

  private async send(files: readonly string[], since: number): Promise<void> {
    const { client, output } = this.context;
    const code = await packFolder(this.folder);
    if (code.checksum === this.checksum) return;
    const path = fcPath`/functions/${this.functionName}`;
    await withCode(client, { kind: 'folder', path: this.folder }, code, (body) =>
      client.call('UpdateFunction', 'PUT', path, { body: { code: body } }),
    );
    this.checksum = code.checksum;
    const ms = Math.round(performance.now() - since);
    output.item(
      { event: 'live', functionName: this.functionName, files, ms, checksum: code.checksum },
      () => `${files.join(', ')}: live after ${durationText(ms)}`,
    );
    await awaitLoaded(client, this.functionName);
  }
}
