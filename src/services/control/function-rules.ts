import type { FunctionConfig, LifecycleHook } from '../../core/domain/function.ts';
import { defaultConfig } from '../../core/domain/function-defaults.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import { type AvailableRuntime, handlerProblem, RUNTIMES } from '../../core/domain/runtime.ts';
import { isCustomRuntime } from '../../core/domain/version-spec.ts';
import { TidemillError, notSupported } from '../../core/domain/errors.ts';
import { readAffinity } from '../../core/domain/session.ts';
import { invalid, isNeutral } from './fields.ts';
import type { AffinityPatch, ConfigPatch, HookPatch } from './function-input.ts';

const DEFAULT_MEMORY_MB = 512;
const DEFAULT_HOOK_SECONDS = 3;
/** vCPUs per GB when a request names memory only: 512 MB get 0.35 vCPU, what Function Compute's own tools send. */
const DEFAULT_CPU_PER_GB = 0.7;

/** The vCPUs that go with a memory size when none are asked for: always within the allowed ratio. */
export function defaultCpu(memoryMb: number): number {
  const steps = Math.max(1, Math.round(((memoryMb / 1024) * DEFAULT_CPU_PER_GB) / LIMITS.cpuMin));
  return Math.min(LIMITS.cpuMax, Math.round(steps * LIMITS.cpuMin * 100) / 100);
}

/** The memory that goes with vCPUs when none is asked for: 512 MB if allowed, else 2 GB per vCPU. */
function defaultMemory(cpu: number): number {
  if (ratioFits(cpu, DEFAULT_MEMORY_MB)) return DEFAULT_MEMORY_MB;
  const wanted = Math.round((cpu * 2048) / LIMITS.memoryStepMb) * LIMITS.memoryStepMb;
  return Math.min(LIMITS.memoryMaxMb, Math.max(LIMITS.memoryMinMb, wanted));
}

function ratioFits(cpu: number, memoryMb: number): boolean {
  const gb = memoryMb / 1024;
  return gb >= cpu - 1e-9 && gb <= cpu * 4 + 1e-9;
}

const EMPTY = defaultConfig('', '');

/** The configuration of a new function: what the request says over the defaults. */
export function createConfig(patch: ConfigPatch): FunctionConfig {
  if (patch.runtime === undefined) throw invalid('runtime', 'is required but not provided');
  if (patch.handler === undefined) throw new TidemillError('InvalidArgument', 'Handler is required but not provided');
  const memorySize = patch.memorySize ?? (patch.cpu === undefined ? DEFAULT_MEMORY_MB : defaultMemory(patch.cpu));
  return mergeConfig(EMPTY, { ...patch, memorySize, cpu: patch.cpu ?? defaultCpu(memorySize) });
}

/**
 * The configuration after a request: absent fields keep their value. A CPU share that is the default for the old memory follows a
 * change of memory, so that who never named one need not start to.
 */
export function mergeConfig(base: FunctionConfig, patch: ConfigPatch): FunctionConfig {
  const { initializerHook, preStopHook, affinityPatch, ...plain } = patch;
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(plain)) {
    if (value === undefined) delete merged[key];
    else merged[key] = value;
  }
  if (patch.memorySize !== undefined && patch.cpu === undefined && base.cpu === defaultCpu(base.memorySize)) {
    merged.cpu = defaultCpu(patch.memorySize);
  }
  mergeHook(merged, 'initializer', base.initializer, initializerHook);
  mergeHook(merged, 'preStop', base.preStop, preStopHook);
  if (affinityPatch !== undefined) mergeAffinity(merged, base, patch, affinityPatch);
  // Every key comes from `base` or a checked patch: the shape is a FunctionConfig again.
  return withRuntimeDefaults(merged as unknown as FunctionConfig);
}

/** A kind of affinity without a config keeps that of the same kind. Affinity makes the instance take 200 calls (FC reference 3.5). */
function mergeAffinity(
  merged: Record<string, unknown>,
  base: FunctionConfig,
  patch: ConfigPatch,
  affinity: AffinityPatch,
): void {
  const type = affinity.type ?? base.sessionAffinity?.type ?? 'NONE';
  const config = isNeutral(affinity.config) || affinity.config === '{}' ? undefined : affinity.config;
  if (type === 'NONE' || type === '') {
    if (config !== undefined && affinity.type === undefined) {
      throw invalid('sessionAffinityConfig', 'needs a sessionAffinity');
    }
    delete merged.sessionAffinity;
    if (base.sessionAffinity !== undefined && patch.instanceConcurrency === undefined) merged.instanceConcurrency = 1;
    return;
  }
  const kept = base.sessionAffinity?.type === type && config === undefined ? base.sessionAffinity : undefined;
  merged.sessionAffinity = kept ?? readAffinity(type, config);
  merged.instanceConcurrency = LIMITS.instanceConcurrencyMax;
}

function mergeHook(
  merged: Record<string, unknown>,
  key: 'initializer' | 'preStop',
  base: LifecycleHook | undefined,
  patch: HookPatch | undefined,
): void {
  if (patch === undefined) return;
  const handler = patch.handler ?? base?.handler ?? '';
  if (handler === '') delete merged[key];
  else merged[key] = { handler, timeout: patch.timeout ?? base?.timeout ?? DEFAULT_HOOK_SECONDS };
}

/** Custom runtimes always have a customRuntimeConfig; for others one that says nothing is dropped. */
function withRuntimeDefaults(config: FunctionConfig): FunctionConfig {
  const { customRuntimeConfig: custom, ...rest } = config;
  if (isCustomRuntime(config.runtime)) {
    return { ...rest, customRuntimeConfig: custom ?? { command: [], args: [], port: 9_000 } };
  }
  const saysNothing =
    custom === undefined ||
    (custom.command.length === 0 && custom.args.length === 0 && custom.healthCheckConfig === undefined);
  return saysNothing ? rest : config;
}

/** Rules between fields (FC reference 3.1, 3.2). Throws InvalidArgument or NotSupported naming the field. */
export function checkConfig(config: FunctionConfig, runtimes: readonly AvailableRuntime[]): void {
  checkRuntime(config.runtime, runtimes);
  const custom = isCustomRuntime(config.runtime);
  const problem = handlerProblem(config.runtime, config.handler);
  if (problem !== undefined) throw invalid('handler', `${problem}, not '${config.handler}'`);
  for (const [field, hook] of [
    ['initializer', config.initializer],
    ['preStop', config.preStop],
  ] as const) {
    const hookProblem = hook === undefined ? undefined : handlerProblem(config.runtime, hook.handler);
    if (hookProblem !== undefined) throw invalid(`instanceLifecycleConfig.${field}.handler`, hookProblem);
  }
  if (!ratioFits(config.cpu, config.memorySize)) {
    throw invalid(
      'cpu',
      `${config.cpu} does not go with memorySize ${config.memorySize}: the ratio of vCPUs to GB must be between 1:1 and 1:4`,
      `Send both fields, e.g. cpu ${defaultCpu(config.memorySize)} for ${config.memorySize} MB.`,
    );
  }
  if (config.sessionAffinity !== undefined && !custom) {
    throw invalid(
      'sessionAffinity',
      `needs a custom runtime, not '${config.runtime}': its instances take 200 calls at once`,
    );
  }
  if (config.instanceIsolationMode === 'SESSION_EXCLUSIVE' && config.sessionAffinity === undefined) {
    throw invalid('instanceIsolationMode', "'SESSION_EXCLUSIVE' needs a sessionAffinity");
  }
  if (!custom && config.instanceConcurrency > 1) {
    throw invalid('instanceConcurrency', `above 1 needs a custom runtime, not '${config.runtime}'`);
  }
  if (config.instanceIsolationMode === 'REQUEST_EXCLUSIVE' && config.instanceConcurrency > 1) {
    throw invalid('instanceIsolationMode', "'REQUEST_EXCLUSIVE' needs instanceConcurrency 1");
  }
  if (!custom && config.customRuntimeConfig !== undefined) {
    throw invalid('customRuntimeConfig', `needs a custom runtime, not '${config.runtime}'`);
  }
}

function checkRuntime(runtime: string, runtimes: readonly AvailableRuntime[]): void {
  if (runtimes.some((available) => available.id === runtime)) return;
  const remedy = `Use one of: ${runtimes.map((available) => `${available.id} (${available.mapsTo})`).join(', ')}.`;
  const known = Object.hasOwn(RUNTIMES, runtime) ? RUNTIMES[runtime] : undefined;
  if (known === undefined) throw invalid('runtime', `'${runtime}' is unknown`, remedy);
  if (known.here) throw notSupported(`the runtime '${runtime}' on this machine`, remedy);
  throw notSupported(`the runtime '${runtime}'`, remedy);
}
