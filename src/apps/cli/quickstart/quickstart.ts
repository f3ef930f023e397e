import { join } from 'node:path';
import { exchange, readAll } from '../api/exchange.ts';
import { fcPath } from '../api/fc-client.ts';
import type { ObjectInfo } from '../api/objects-client.ts';
import { whereIs } from '../commands/doctor.ts';
import { Context } from '../context.ts';
import { deployManifest } from '../deploy/manifest-deployment.ts';
import type { Deployed } from '../deploy/plan.ts';
import { EXIT, Failure } from '../failure.ts';
import { readManifest } from '../manifest/manifest.ts';
import { Output } from '../terminal/output.ts';
import { runSteps, type Step } from '../terminal/progress.ts';
import { bytesText, durationText } from '../terminal/text.ts';
import { interrupted, OwnPlatform } from './platform.ts';
import { BUCKET, transcode } from './video.ts';

export interface QuickstartOptions {
  readonly data: string;
  readonly port?: number;
  readonly exit?: boolean;
}

const EXAMPLES = join(import.meta.dirname, '../../../../examples');
const NO_FFMPEG =
  'ffmpeg is not installed, so the video example is left out. Install it (apt-get install ffmpeg) and run this again.';

interface Call {
  readonly functionName: string;
  readonly answer: string;
  readonly url: string | undefined;
}

/** `tidemill quickstart`: everything that Tidemill is for, once, and then it goes on serving. */
export async function quickstart(context: Context, options: QuickstartOptions): Promise<number> {
  const end = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => end.abort(interrupted()));
  const tour = new Tour(options, end.signal);
  try {
    try {
      await runSteps(context.output, tour.steps());
    } catch (error) {
      if (end.signal.aborted) throw interrupted();
      throw error;
    }
    context.output.answer(tour.result(), () => tour.story());
    if (options.exit === true) return EXIT.ok;
    tour.platform?.showMessages();
    await Promise.race([tour.platform?.gone(), aborted(end.signal)]);
    if (!end.signal.aborted) throw endedByItself();
    context.output.note('ending: running calls finish first');
    return EXIT.ok;
  } finally {
    await tour.platform?.end();
  }
}

function endedByItself(): Failure {
  return new Failure(EXIT.failed, 'the platform ended by itself', {
    code: 'PlatformEnded',
    culprit: 'platform',
    remedy: 'Read its messages above, then start it again with `tidemill up`.',
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

class Tour {
  platform: OwnPlatform | undefined;
  private readonly options: QuickstartOptions;
  private readonly signal: AbortSignal;
  private readonly hasFfmpeg = whereIs('ffmpeg') !== undefined;
  private readonly calls: Call[] = [];
  private made: readonly ObjectInfo[] = [];
  private firstAnswerMs: number | undefined;
  private current: Context | undefined;

  constructor(options: QuickstartOptions, signal: AbortSignal) {
    this.options = options;
    this.signal = signal;
  }

  steps(): readonly Step[] {
    const steps: Step[] = [
      { title: 'Start the platform', run: () => this.start() },
      { title: 'hello-node: deploy and call its URL', run: () => this.overHttp('hello-node', '?name=Tidemill') },
      { title: 'hello-python: deploy and invoke', run: () => this.invoked('hello-python', 'four words make sense') },
      { title: 'custom-http: deploy and call its URL', run: () => this.overHttp('custom-http', 'any/path') },
    ];
    if (this.hasFfmpeg) {
      steps.push({ title: 'video-transcode: deploy', run: () => this.deployVideo() });
      steps.push({ title: 'Transcode a video', milestones: true, run: (say) => this.transcode(say) });
    }
    return steps;
  }

  result(): unknown {
    const { platform, calls, made, firstAnswerMs } = this;
    const endpoint = platform?.ready.endpoint;
    return { endpoint, firstAnswerMs, calls, made, notes: this.hasFfmpeg ? [] : [NO_FFMPEG] };
  }

  story(): string {
    const ready = this.platform?.ready;
    const url = this.calls.find((call) => call.functionName === 'hello-node')?.url ?? '';
    const width = Math.max(...this.made.map((object) => object.key.length), 0);
    const video = this.made.map((object) => `  tm://${BUCKET}/${object.key.padEnd(width)}  ${bytesText(object.size)}`);
    const first = this.made[0]?.key;
    return [
      '',
      `Tidemill serves ${this.options.data} at ${ready?.endpoint}; the first answer came ${durationText(this.firstAnswerMs ?? 0)} after the start.`,
      '',
      ...this.calls.map((call) => `  ${call.functionName.padEnd(13)} answered: ${call.answer}`),
      ...(video.length === 0 ? [] : ['', `From tm://${BUCKET}/in/clip.mp4 the function made:`, ...video]),
      ...(this.hasFfmpeg ? [] : ['', NO_FFMPEG]),
      '',
      'Try next, in another terminal:',
      `  curl '${url}?name=you'`,
      `  npx tidemill invoke hello-python -e 'count these words' --log`,
      '  npx tidemill deploy examples/hello-node --watch     # then change index.js and call again',
      '  npx tidemill logs hello-node -f',
      ...(first === undefined ? [] : [`  npx tidemill objects cp tm://${BUCKET}/${first} .`]),
      '',
      ...(this.options.exit === true ? [] : ['Ctrl-C ends it; what you deployed stays in the data folder.']),
    ].join('\n');
  }

  private async start(): Promise<string> {
    const { data, port } = this.options;
    this.platform = await OwnPlatform.start({ data, signal: this.signal, ...(port === undefined ? {} : { port }) });
    const { ready } = this.platform;
    const quiet = new Output(
      true,
      () => {},
      () => {},
    );
    this.current = new Context(quiet, {
      ...process.env,
      TIDEMILL_ENDPOINT: ready.endpoint,
      TIDEMILL_OBJECTS_ENDPOINT: ready.objects.endpoint,
      TIDEMILL_ACCESS_KEY_ID: ready.accessKeyId,
      TIDEMILL_ACCESS_KEY_SECRET: ready.accessKeySecret,
      TIDEMILL_ACCOUNT_ID: ready.accountId,
      TIDEMILL_REGION: ready.region,
    });
    return `The platform serves at ${ready.endpoint}`;
  }

  private get context(): Context {
    if (this.current === undefined) throw new Error('the platform is not started');
    return this.current;
  }

  private async deploy(name: string): Promise<Deployed> {
    const { deployed } = await deployManifest(this.context, readManifest(join(EXAMPLES, name, 's.yaml')));
    const [first] = deployed;
    if (first === undefined) throw new Error(`the example ${name} deploys nothing`);
    return first;
  }

  private async overHttp(name: string, rest: string): Promise<string> {
    const { url = '' } = await this.deploy(name);
    const since = performance.now();
    const answer = await exchange({ method: 'GET', url: `${url}${rest}`, headers: {}, signal: this.signal });
    const text = (await readAll(answer)).toString('utf8').trim();
    if (answer.statusCode !== 200) {
      throw new Failure(EXIT.failed, `${url} answered HTTP ${answer.statusCode}: ${text}`, {
        code: 'ExampleFailed',
        culprit: 'function',
      });
    }
    return this.answered(name, text, since, url);
  }

  private async invoked(name: string, event: string): Promise<string> {
    await this.deploy(name);
    const since = performance.now();
    const answer = await this.context.client.open('InvokeFunction', 'POST', fcPath`/functions/${name}/invocations`, {
      bytes: Buffer.from(event),
      signal: this.signal,
    });
    return this.answered(name, (await readAll(answer)).toString('utf8'), since, undefined);
  }

  private answered(name: string, text: string, since: number, url: string | undefined): string {
    // Counted from the start of this process.
    this.firstAnswerMs ??= Math.round(performance.now());
    this.calls.push({ functionName: name, answer: text, url });
    return `${name} answered in ${durationText(performance.now() - since)}: ${text}`;
  }

  private async deployVideo(): Promise<string> {
    await this.context.objects.makeBucket(BUCKET);
    await this.deploy('video-transcode');
    return `video-transcode waits for objects in tm://${BUCKET}/in/`;
  }

  private async transcode(say: (text: string) => void): Promise<string> {
    const since = performance.now();
    this.made = await transcode(this.context, say, this.signal);
    return `Transcoded a 5 s video into ${this.made.length} files in ${durationText(performance.now() - since)}`;
  }
}
