import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Context } from '../context.ts';
import { EXIT, usage } from '../failure.ts';
import { Deployment } from '../deploy/deployment.ts';
import { detectRuntime, nameOfFolder } from '../deploy/detect.ts';
import { deployManifest } from '../deploy/manifest-deployment.ts';
import type { Deployed, FunctionPlan } from '../deploy/plan.ts';
import { findManifest, readManifest } from '../manifest/manifest.ts';
import { runSteps } from '../terminal/progress.ts';
import { bytesText, durationText } from '../terminal/text.ts';

export interface DeployOptions {
  readonly file?: string;
  readonly watch?: boolean;
  readonly name?: string;
  readonly runtime?: string;
  readonly handler?: string;
  readonly memory?: number;
  readonly cpu?: number;
  readonly disk?: number;
  readonly timeout?: number;
  readonly concurrency?: number;
  readonly description?: string;
  readonly env?: readonly string[];
  readonly layer?: readonly string[];
  readonly http?: boolean;
}

/** `tidemill deploy`: a folder, or what a Serverless Devs file describes. */
export async function deploy(context: Context, folder: string | undefined, options: DeployOptions): Promise<number> {
  const { file, watch, ...flags } = options;
  if (file !== undefined && folder !== undefined) throw usage('give a folder or -f, not both');
  if (file !== undefined && Object.keys(flags).length > 0) {
    throw usage(`--${Object.keys(flags)[0]} does not go with -f`, 'Say it in the file.');
  }
  const target = resolve(folder ?? '.');
  const manifest = file ?? (Object.keys(flags).length === 0 ? findManifest(target) : undefined);
  if (manifest === undefined) await checkFolder(target);
  const { deployed, plans, notes } =
    manifest === undefined
      ? await deployFolder(context, target, flags)
      : await deployManifest(context, readManifest(manifest));
  if (watch !== true) {
    context.output.answer({ functions: deployed, notes }, () => deployed.map(summary).join('\n'));
    return EXIT.ok;
  }
  for (const one of deployed) context.output.item({ event: 'deployed', ...one }, () => summary(one));
  await watchAll(context, deployed, plans);
  return EXIT.ok;
}

async function checkFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (found === undefined) throw usage(`${folder} does not exist`);
  if (!found.isDirectory())
    throw usage(`${folder} is not a folder`, 'Name the folder that holds the code; for an s.yaml use -f.');
}

async function deployFolder(
  context: Context,
  folder: string,
  flags: Omit<DeployOptions, 'file' | 'watch'>,
): Promise<{ deployed: Deployed[]; plans: FunctionPlan[]; notes: string[] }> {
  const plan = folderPlan(folder, flags);
  const deployment = new Deployment(context.client, plan);
  await runSteps(context.output, deployment.steps());
  return { deployed: [await deployment.outcome()], plans: [plan], notes: [] };
}

/** Flags change what they name; everything else of an existing function stays as it is. */
export function folderPlan(folder: string, flags: Omit<DeployOptions, 'file' | 'watch'>): FunctionPlan {
  const { runtime, handler, memory, cpu, disk, timeout, concurrency, description, env, layer } = flags;
  const given = {
    runtime,
    handler,
    memorySize: memory,
    cpu,
    diskSize: disk,
    timeout,
    instanceConcurrency: concurrency,
    description,
    environmentVariables: env === undefined ? undefined : environment(env),
    layers: layer,
  };
  const config = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const whenNew =
    runtime !== undefined && handler !== undefined
      ? {}
      : { ...(runtime === undefined ? detectRuntime(folder) : { handler: 'index.handler' }) };
  return {
    functionName: flags.name ?? nameOfFolder(folder),
    config,
    whenNew,
    code: { kind: 'folder', path: folder },
    triggers: [],
    httpByDefault: flags.http ?? true,
    extras: [],
    headers: {},
    notes: [],
  };
}

function environment(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw usage(`--env ${pair} has no name and value`, 'Write it as --env NAME=VALUE.');
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

async function watchAll(
  context: Context,
  deployed: readonly Deployed[],
  plans: readonly FunctionPlan[],
): Promise<void> {
  const { watchFolder } = await import('../deploy/watch.ts');
  const end = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => end.abort());
  const folders = deployed.flatMap(({ functionName, codeChecksum }) => {
    const code = plans.find((plan) => plan.functionName === functionName)?.code;
    return code?.kind === 'folder' ? [{ functionName, folder: code.path, checksum: codeChecksum }] : [];
  });
  if (folders.length === 0) throw usage('there is no folder to watch: the code comes from elsewhere');
  await Promise.all(folders.map((watched) => watchFolder(context, watched, end.signal)));
}

function summary(result: Deployed): string {
  const { functionName, runtime, memorySize, codeSize, uploaded, durationMs, url, triggers } = result;
  const size = uploaded ? bytesText(codeSize) : `${bytesText(codeSize)}, unchanged`;
  const lines = [
    `${functionName} is live (${runtime}, ${memorySize} MB, code ${size}) after ${durationText(durationMs)}`,
  ];
  if (url !== undefined) lines.push(`  ${url}`);
  else if (triggers.length > 0) lines.push(`  fired by: ${triggers.join(', ')}`);
  else lines.push(`  call it:  tidemill invoke ${functionName} -e '{}'`);
  return lines.join('\n');
}
