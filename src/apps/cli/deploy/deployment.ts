import { fcPath, type FcClient } from '../api/fc-client.ts';
import type { FunctionShape, TriggerShape } from '../api/fc-shapes.ts';
import type { Package } from '../package/zip.ts';
import { bytesText } from '../terminal/text.ts';
import type { Step } from '../terminal/progress.ts';
import { readCode, withCode } from './code-source.ts';
import { familyOf } from './detect.ts';
import { sendExtra } from './extra-configs.ts';
import type { Deployed, FunctionPlan, TriggerPlan } from './plan.ts';
import { sendTags } from './tags.ts';
import { awaitLoaded } from './load-check.ts';

/** The trigger that gives a function its URL when nobody asks for another. */
const DEFAULT_HTTP: TriggerPlan = {
  triggerName: 'http',
  triggerType: 'http',
  body: {
    triggerConfig: JSON.stringify({
      authType: 'anonymous',
      methods: ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS'],
    }),
  },
};

function filesText(count: number): string {
  return count === 1 ? '1 file' : `${count} files`;
}

/** One function on its way to the platform: create or update, then what belongs to it, then one instance to see that it loads. */
export class Deployment {
  private readonly client: FcClient;
  private readonly plan: FunctionPlan;
  private readonly since = performance.now();
  private code: Package | undefined;
  private fn: FunctionShape | undefined;
  private created = false;
  private uploaded = false;

  constructor(client: FcClient, plan: FunctionPlan) {
    this.client = Object.keys(plan.headers).length === 0 ? client : client.withHeaders(plan.headers);
    this.plan = plan;
  }

  /** To be run in order. The last one rejects with a Failure when the function's own code cannot be loaded. */
  steps(): readonly Step[] {
    const { functionName: name, code, triggers, extras, tags } = this.plan;
    const steps: Step[] = [];
    if (code !== undefined && code.kind !== 'object')
      steps.push({ title: `Pack ${name}`, run: (say) => this.pack(say) });
    steps.push({ title: `Deploy ${name}`, run: () => this.upsert() });
    if (tags !== undefined) steps.push({ title: `Tag ${name}`, run: () => this.tag(tags) });
    if (triggers.length > 0 || this.plan.httpByDefault)
      steps.push({ title: `Connect the triggers of ${name}`, run: () => this.connect() });
    for (const extra of extras) {
      steps.push({ title: `Set ${extra.kind} of ${name}`, run: () => sendExtra(this.client, name, extra) });
    }
    steps.push({
      title: `Start an instance of ${name}`,
      run: async () => {
        const { startMs } = await awaitLoaded(this.client, name);
        return `${name} loads (${Math.round(startMs)} ms)`;
      },
    });
    return steps;
  }

  /** What came of it, once the steps have run. */
  async outcome(): Promise<Deployed> {
    const { functionName } = this.plan;
    if (this.fn === undefined) throw new Error(`${functionName} was not deployed`);
    const triggers = await this.triggers();
    const http = triggers.find((trigger) => trigger.httpTrigger !== undefined)?.httpTrigger;
    const { functionArn, runtime, handler, memorySize, codeChecksum, codeSize } = this.fn;
    return {
      functionName,
      functionArn,
      runtime,
      handler,
      memorySize,
      created: this.created,
      uploaded: this.uploaded,
      codeChecksum,
      codeSize,
      files: this.code?.files,
      url: http?.urlInternet,
      intranetUrl: http?.urlIntranet,
      triggers: triggers.map((trigger) => trigger.triggerName),
      durationMs: Math.round(performance.now() - this.since),
    };
  }

  private async pack(say: (text: string) => void): Promise<string> {
    const { functionName: name, code } = this.plan;
    if (code === undefined) throw new Error('nothing to pack');
    this.code = await readCode(code, say);
    return `Packed ${name} (${filesText(this.code?.files ?? 0)}, ${bytesText(this.code?.bytes.length ?? 0)})`;
  }

  private async upsert(): Promise<string> {
    const { functionName: name } = this.plan;
    const path = fcPath`/functions/${name}`;
    const before = await this.client.find<FunctionShape>(['FunctionNotFound'], 'GetFunction', 'GET', path);
    this.created = before === undefined;
    this.fn = before === undefined ? await this.create() : await this.update(before);
    return `${this.created ? 'Created' : 'Updated'} ${name}${this.uploaded ? '' : ' (the code is there already)'}`;
  }

  private create(): Promise<FunctionShape> {
    const { functionName, config, whenNew, tags } = this.plan;
    const body = {
      functionName,
      ...whenNew,
      ...config,
      ...(tags === undefined ? {} : { tags: tags.map(({ key, value }) => ({ Key: key, Value: value })) }),
    };
    const send = (code?: unknown): Promise<FunctionShape> =>
      this.client.call('CreateFunction', 'POST', fcPath`/functions`, { body: { ...body, code } });
    if (this.plan.code === undefined) return send();
    this.uploaded = true;
    return withCode(this.client, this.plan.code, this.code, send);
  }

  private update(before: FunctionShape): Promise<FunctionShape> {
    const { functionName, config, whenNew } = this.plan;
    // Another language than before: what was found out about the folder counts again.
    const changed =
      typeof whenNew?.['runtime'] === 'string' && familyOf(whenNew['runtime']) !== familyOf(before.runtime);
    const body = { ...(changed ? whenNew : {}), ...config };
    const send = (code?: unknown): Promise<FunctionShape> =>
      this.client.call('UpdateFunction', 'PUT', fcPath`/functions/${functionName}`, { body: { ...body, code } });
    const same = this.code !== undefined && this.code.checksum === before.codeChecksum;
    if (this.plan.code === undefined || same) return send();
    this.uploaded = true;
    return withCode(this.client, this.plan.code, this.code, send);
  }

  private async tag(tags: NonNullable<FunctionPlan['tags']>): Promise<string | undefined> {
    if (this.fn === undefined || this.created) return undefined;
    await sendTags(this.client, this.fn.functionArn, tags);
    return undefined;
  }

  private async triggers(): Promise<readonly TriggerShape[]> {
    return Array.fromAsync(
      this.client.pages<TriggerShape>(
        'ListTriggers',
        fcPath`/functions/${this.plan.functionName}/triggers`,
        'triggers',
      ),
    );
  }

  private async connect(): Promise<string> {
    const existing = await this.triggers();
    const wanted = [...this.plan.triggers];
    if (this.plan.httpByDefault && !existing.some((trigger) => trigger.triggerType === 'http'))
      wanted.push(DEFAULT_HTTP);
    for (const trigger of wanted) {
      await this.sendTrigger(
        trigger,
        existing.find((one) => one.triggerName === trigger.triggerName),
      );
    }
    return wanted.length === 0
      ? 'Triggers are there already'
      : `Connected ${wanted.map((trigger) => trigger.triggerName).join(', ')}`;
  }

  private async sendTrigger(trigger: TriggerPlan, existing: TriggerShape | undefined): Promise<void> {
    const { triggerName, triggerType, sourceArn, body } = trigger;
    const all = fcPath`/functions/${this.plan.functionName}/triggers`;
    const path = fcPath`/functions/${this.plan.functionName}/triggers/${triggerName}`;
    const moved =
      existing !== undefined &&
      (existing.triggerType !== triggerType || (sourceArn ?? '') !== (existing.sourceArn ?? ''));
    // Type and source cannot be changed in place (FC reference 1.4).
    if (moved) await this.client.call('DeleteTrigger', 'DELETE', path);
    if (existing !== undefined && !moved) {
      await this.client.call('UpdateTrigger', 'PUT', path, { body });
      return;
    }
    const source = sourceArn === undefined ? {} : { sourceArn };
    await this.client.call('CreateTrigger', 'POST', all, { body: { triggerName, triggerType, ...source, ...body } });
  }
}
