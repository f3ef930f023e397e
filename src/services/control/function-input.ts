import type {
  CredentialChannel,
  CustomDns,
  CustomRuntimeConfig,
  FunctionConfig,
  HealthCheckConfig,
  LogConfig,
} from '../../core/domain/function.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import { LOOP_VARIABLES, parseLoopLimit } from '../../core/domain/loop-limits.ts';
import type { Input } from '../../core/ports/control.ts';
import { FieldReader, invalid, isNeutral, isRecord, shown } from './fields.ts';
import { refuseUnsupported } from './unsupported-fields.ts';

export interface HookPatch {
  readonly handler?: string;
  readonly timeout?: number;
}

/** What a request says of session affinity; `config` is unread. */
export interface AffinityPatch {
  readonly type?: '' | 'NONE' | 'HEADER_FIELD' | 'GENERATED_COOKIE';
  readonly config?: unknown;
}

/**
 * What a request changes. A key that is present with `undefined` clears the setting; an absent one keeps it. Hooks merge with what is
 * there, since only an empty handler switches one off (FC reference 3.1).
 */
export type ConfigPatch = {
  -readonly [K in keyof Omit<FunctionConfig, 'initializer' | 'preStop' | 'sessionAffinity'>]?:
    | FunctionConfig[K]
    | undefined;
} & {
  initializerHook?: HookPatch;
  preStopHook?: HookPatch;
  affinityPatch?: AffinityPatch;
};

const ENVIRONMENT_KEY = /^[A-Za-z][A-Za-z0-9_]*$/;

/**
 * Reads and checks every configuration field of CreateFunctionInput and UpdateFunctionInput (FC reference 3.1), each for itself; rules
 * between fields are in function-rules.ts. What each field does here:
 * `role` is checked by the door, which knows who passes it, and again whenever an instance needs its credentials;
 * `logConfig.project`/`logstore` are stored and shown in the context object: output always goes to the platform's own log;
 * its metrics switches and `logBeginRule` are stored and given back: metrics are always on, lines are never joined.
 */
function readConfig(reader: FieldReader): ConfigPatch {
  const patch: ConfigPatch = {};
  const set = <K extends keyof ConfigPatch>(key: K, value: ConfigPatch[K] | undefined): void => {
    if (value !== undefined) patch[key] = value;
  };
  set('description', reader.string('description', { max: LIMITS.descriptionLength }));
  set('runtime', reader.string('runtime', { min: 1 }));
  set('handler', readHandler(reader));
  set('cpu', readCpu(reader));
  set('memorySize', reader.integer('memorySize', memoryRule));
  set('diskSize', readDiskSize(reader));
  set('timeout', reader.integer('timeout', { min: 1, max: LIMITS.timeoutMaxSeconds }));
  set('instanceConcurrency', reader.integer('instanceConcurrency', { min: 1, max: LIMITS.instanceConcurrencyMax }));
  set('environmentVariables', readEnvironment(reader));
  set('layers', reader.strings('layers', { maxItems: LIMITS.layersPerFunction, item: { min: 1, max: 512 } }));
  set('internetAccess', reader.boolean('internetAccess'));
  set('role', reader.string('role', { max: 300 }));
  set('disableInjectCredentials', reader.oneOf<CredentialChannel>('disableInjectCredentials', CREDENTIAL_CHANNELS));
  set('instanceIsolationMode', reader.oneOf('instanceIsolationMode', ISOLATION_MODES));
  readSessionAffinity(reader, patch);
  set('disableOndemand', reader.boolean('disableOndemand'));
  readClearable(reader, patch);
  readHooks(reader, patch);
  refuseUnsupported(reader);
  return patch;
}

const CREDENTIAL_CHANNELS = ['None', 'Env', 'Request', 'All'] as const;
const memoryRule = { min: LIMITS.memoryMinMb, max: LIMITS.memoryMaxMb, step: LIMITS.memoryStepMb };

function readHandler(reader: FieldReader): string | undefined {
  const value = reader.string('handler', { max: LIMITS.handlerLength });
  if (value === '') throw invalid(reader.name('handler'), 'must not be empty');
  return value;
}

function readCpu(reader: FieldReader): number | undefined {
  const value = reader.raw('cpu');
  if (value === undefined) return undefined;
  const steps = typeof value === 'number' ? value / LIMITS.cpuMin : Number.NaN;
  const onStep = Math.abs(steps - Math.round(steps)) < 1e-6;
  if (typeof value === 'number' && onStep && value >= LIMITS.cpuMin - 1e-9 && value <= LIMITS.cpuMax) {
    return Math.round(value * 100) / 100;
  }
  throw invalid(
    'cpu',
    `must be a number from ${LIMITS.cpuMin} to ${LIMITS.cpuMax} in steps of ${LIMITS.cpuMin}, not ${shown(value)}`,
  );
}

function readDiskSize(reader: FieldReader): number | undefined {
  const value = reader.raw('diskSize');
  if (value === undefined || value === 512 || value === 10_240) return value;
  throw invalid('diskSize', `must be 512 or 10240, not ${shown(value)}`);
}

/** The two fields of session affinity; they are put together with what is there when the request is merged (FC reference 3.5). */
function readSessionAffinity(reader: FieldReader, patch: ConfigPatch): void {
  reader.refuse('sessionAffinity', "Use 'HEADER_FIELD', 'GENERATED_COOKIE' or 'NONE'.", (value) => !isMcp(value));
  const type = reader.oneOf('sessionAffinity', AFFINITY_TYPES);
  const config = reader.raw('sessionAffinityConfig');
  if (type === undefined && config === undefined) return;
  patch.affinityPatch = { ...(type === undefined ? {} : { type }), ...(config === undefined ? {} : { config }) };
}

function isMcp(value: unknown): boolean {
  return value === 'MCP_SSE' || value === 'MCP_STREAMABLE';
}

const AFFINITY_TYPES = ['', 'NONE', 'HEADER_FIELD', 'GENERATED_COOKIE'] as const;
const ISOLATION_MODES = ['SHARE', 'REQUEST_EXCLUSIVE', 'SESSION_EXCLUSIVE'] as const;

/** Names and sizes of environment variables: letters, digits and `_`, not starting `FC_`, 4 KB in total (FC reference 3.1). */
function readEnvironment(reader: FieldReader): Readonly<Record<string, string>> | undefined {
  const value = reader.raw('environmentVariables');
  if (value === undefined) return undefined;
  if (!isRecord(value)) throw invalid('environmentVariables', 'must be an object of strings');
  const result: Record<string, string> = {};
  let bytes = 0;
  for (const [key, text] of Object.entries(value)) {
    if (!ENVIRONMENT_KEY.test(key)) {
      throw invalid(
        'environmentVariables',
        `has the name ${shown(key)}: names start with a letter and have letters, digits and '_'`,
      );
    }
    if (key.startsWith('FC_'))
      throw invalid('environmentVariables', `has the name '${key}': names starting 'FC_' are reserved`);
    if (typeof text !== 'string') throw invalid(`environmentVariables.${key}`, `must be a string, not ${shown(text)}`);
    checkLoopLimit(key, text);
    if (text.includes('\0')) throw invalid(`environmentVariables.${key}`, 'must not have NUL characters');
    bytes += Buffer.byteLength(key) + Buffer.byteLength(text);
    result[key] = text;
  }
  if (bytes > LIMITS.environmentBytes) {
    throw invalid(
      'environmentVariables',
      `are ${bytes} bytes in total, at most ${LIMITS.environmentBytes} are allowed`,
    );
  }
  return result;
}

/** A limit that means nothing would silently be the default. */
function checkLoopLimit(key: string, text: string): void {
  if (!Object.values<string>(LOOP_VARIABLES).includes(key) || parseLoopLimit(text) !== undefined) return;
  throw invalid(
    `environmentVariables.${key}`,
    `must be a whole number from 1 to 999999 or 'unlimited', not ${shown(text)}`,
  );
}

/** Settings that an empty value removes. */
function readClearable(reader: FieldReader, patch: ConfigPatch): void {
  const log = reader.object('logConfig');
  if (log !== undefined) patch.logConfig = readLogConfig(log);
  const custom = reader.object('customRuntimeConfig');
  if (custom !== undefined) patch.customRuntimeConfig = readCustomRuntime(custom);
  const dns = reader.object('customDNS');
  if (dns !== undefined) patch.customDns = readDns(dns);
  const idle = reader.raw('idleTimeout');
  if (idle === -1 || idle === 0) patch.idleTimeout = undefined;
  else if (idle !== undefined) patch.idleTimeout = reader.integer('idleTimeout', { min: 1, max: 3_600 });
}

function readLogConfig(reader: FieldReader): LogConfig | undefined {
  const project = reader.string('project', { max: 63 }) ?? '';
  const logstore = reader.string('logstore', { max: 63 }) ?? '';
  const config: LogConfig = {
    project,
    logstore,
    enableRequestMetrics: reader.boolean('enableRequestMetrics') ?? false,
    enableInstanceMetrics: reader.boolean('enableInstanceMetrics') ?? false,
    logBeginRule:
      reader.raw('logBeginRule') === '' ? 'None' : (reader.oneOf('logBeginRule', ['DefaultRegex', 'None']) ?? 'None'),
  };
  reader.refuse('enableLlmMetrics', 'Leave it out or send false.');
  reader.done();
  if ((project === '') !== (logstore === '')) {
    throw invalid('logConfig', 'needs both project and logstore, or neither');
  }
  const says = project !== '' || config.enableRequestMetrics || config.enableInstanceMetrics;
  return says ? config : undefined;
}

function readCustomRuntime(reader: FieldReader): CustomRuntimeConfig {
  const argument = { max: 4_096, pattern: /^[^\0]*$/, form: 'have no NUL characters' };
  const command = reader.strings('command', { maxItems: 128, item: argument }) ?? [];
  const args = reader.strings('args', { maxItems: 128, item: argument }) ?? [];
  const port = reader.raw('port') === 0 ? undefined : reader.integer('port', { min: 1, max: 65_535 });
  const check = reader.object('healthCheckConfig');
  const healthCheckConfig = check === undefined ? undefined : readHealthCheck(check);
  reader.done();
  if (command[0] === '') throw invalid('customRuntimeConfig.command', 'must not start with an empty word');
  return { command, args, port: port ?? 9_000, ...(healthCheckConfig === undefined ? {} : { healthCheckConfig }) };
}

function readHealthCheck(reader: FieldReader): HealthCheckConfig | undefined {
  const url = reader.string('httpGetUrl', { max: 2_048 }) ?? '';
  if (url !== '' && !/^\/[\x21-\x7e]*$/.test(url)) {
    throw invalid('customRuntimeConfig.healthCheckConfig.httpGetUrl', "must start with '/' and have no spaces");
  }
  const number = (field: string, min: number, max: number, absent: number): number =>
    reader.integer(field, { min, max }) ?? absent;
  const config: HealthCheckConfig = {
    httpGetUrl: url,
    initialDelaySeconds: number('initialDelaySeconds', 0, 120, 0),
    periodSeconds: number('periodSeconds', 1, 120, 3),
    timeoutSeconds: number('timeoutSeconds', 1, 3, 1),
    failureThreshold: number('failureThreshold', 1, 120, 3),
    successThreshold: number('successThreshold', 1, 120, 1),
  };
  reader.done();
  return url === '' ? undefined : config;
}

/** Everything here lands in the sandbox's resolv.conf, so nothing but addresses and names may pass. */
function readDns(reader: FieldReader): CustomDns | undefined {
  const address = { pattern: /^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f:]{2,39})$/, form: 'be an IP address' };
  const domain = { pattern: /^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})$/, form: 'be a domain name' };
  const nameServers = reader.strings('nameServers', { maxItems: 3, item: address }) ?? [];
  const searches = reader.strings('searches', { maxItems: 6, item: domain }) ?? [];
  const options = reader.raw('dnsOptions') ?? [];
  if (!Array.isArray(options) || options.length > 8)
    throw invalid('customDNS.dnsOptions', 'must be a list of at most 8');
  const word = { max: 63, pattern: /^[A-Za-z0-9_-]*$/, form: "have only letters, digits, '_' and '-'" };
  const dnsOptions = options.map((item: unknown, index) => {
    const option = new FieldReader(item, `customDNS.dnsOptions[${index}]`);
    const name = option.required('name', word);
    const value = option.string('value', word);
    option.done();
    return value === undefined || value === '' ? { name } : { name, value };
  });
  reader.done();
  const empty = nameServers.length === 0 && searches.length === 0 && dnsOptions.length === 0;
  return empty ? undefined : { nameServers, searches, dnsOptions };
}

function readHooks(reader: FieldReader, patch: ConfigPatch): void {
  const cycle = reader.object('instanceLifecycleConfig');
  if (cycle === undefined) return;
  const initializer = readHook(cycle.object('initializer'), LIMITS.initializerTimeoutMaxSeconds);
  const preStop = readHook(cycle.object('preStop'), LIMITS.preStopTimeoutMaxSeconds);
  cycle.refuse('preFreeze', 'Function Compute 3.0 has no preFreeze hook: leave it out.', (value) => isNeutral(value));
  cycle.done();
  if (initializer !== undefined) patch.initializerHook = initializer;
  if (preStop !== undefined) patch.preStopHook = preStop;
}

function readHook(reader: FieldReader | undefined, maxSeconds: number): HookPatch | undefined {
  if (reader === undefined) return undefined;
  const handler = reader.string('handler', { max: LIMITS.handlerLength });
  const timeout = reader.raw('timeout') === 0 ? undefined : reader.integer('timeout', { min: 1, max: maxSeconds });
  reader.refuse('command', "Name a handler instead: 'command' is for GPU and container functions.");
  reader.done();
  return { ...(handler === undefined ? {} : { handler }), ...(timeout === undefined ? {} : { timeout }) };
}

/** What one request of CreateFunction or UpdateFunction asks for. */
export interface FunctionRequest {
  readonly patch: ConfigPatch;
  /** The `code` object, unread; undefined when the request has none. */
  readonly code: Input | undefined;
}

export function readFunctionInput(reader: FieldReader): FunctionRequest {
  const patch = readConfig(reader);
  const code = reader.raw('code');
  if (code !== undefined && !isRecord(code)) throw invalid('code', 'must be a JSON object');
  return { patch, code: code === undefined || saysNothing(code) ? undefined : code };
}

/** Shallow, because a package may be bytes. */
function saysNothing(code: Input): boolean {
  return Object.values(code).every((value) => value === undefined || value === null || value === '');
}
