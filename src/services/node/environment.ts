import type { FunctionConfig } from '../../core/domain/function.ts';
import { isCustomRuntime } from '../../core/domain/version-spec.ts';
import type { StartOrder } from '../../core/ports/node-pool.ts';

export type Environment = Readonly<Record<string, string>>;

/** The platform's own addresses as an instance sees them (the gateway of its network). */
export interface InsideEndpoints {
  readonly api: string;
  readonly objects: string;
}

const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Where code and layers are for the processes inside: `/code` and `/opt`, unless the tier cannot show them there. */
export interface Places {
  readonly code: string;
  readonly opt: string;
}

export const USUAL_PLACES: Places = { code: '/code', opt: '/opt' };

/** Search paths of built-in runtimes: the code's own folders, then the layers' (FC reference 3.3). */
function builtInPaths({ code, opt }: Places): Environment {
  return {
    PATH: `${code}:${code}/bin:${opt}/bin:${SYSTEM_PATH}`,
    LD_LIBRARY_PATH: `${code}:${code}/lib:${opt}/lib`,
    NODE_PATH: `${opt}/nodejs/node_modules`,
    PYTHONPATH: `${opt}/python`,
  };
}

/**
 * Variables that a process reads once, while it boots: setting them when the function is loaded would be too late, so a
 * function that sets one gets a runtime booted for it instead of one from the pool. A trailing `*` stands for any ending.
 */
export const BOOT_TIME_VARIABLES: readonly string[] = [
  // the dynamic linker and the C library
  'LD_*',
  'GLIBC_TUNABLES',
  'MALLOC_*',
  'LANG',
  'LANGUAGE',
  'LC_*',
  // Node and what it links
  'NODE_OPTIONS',
  'NODE_EXTRA_CA_CERTS',
  'NODE_ICU_DATA',
  'NODE_V8_COVERAGE',
  'NODE_COMPILE_CACHE',
  'NODE_DISABLE_COMPILE_CACHE',
  'NODE_DEBUG',
  'NODE_DEBUG_NATIVE',
  'NODE_NO_WARNINGS',
  'NODE_PENDING_DEPRECATION',
  'NODE_PRESERVE_SYMLINKS*',
  'NODE_REDIRECT_WARNINGS',
  'NODE_USE_ENV_PROXY',
  'NODE_USE_SYSTEM_CA',
  'OPENSSL_CONF',
  'UV_*',
  // Python
  'PYTHON*',
];

/** Covered by a pattern above, but the runtimes look again when they load the function. */
const READ_AT_LOAD = new Set(['PYTHONPATH']);

const EXACT = new Set(BOOT_TIME_VARIABLES.filter((name) => !name.endsWith('*')));
const PREFIXES = BOOT_TIME_VARIABLES.filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1));

export function isBootTimeVariable(name: string): boolean {
  if (READ_AT_LOAD.has(name)) return false;
  return EXACT.has(name) || PREFIXES.some((prefix) => name.startsWith(prefix));
}

/** The part of a function's own variables that has to be there when its runtime boots. */
export function bootTimeVariables(config: FunctionConfig): Environment {
  return Object.fromEntries(Object.entries(config.environmentVariables).filter(([name]) => isBootTimeVariable(name)));
}

/** What every instance's first process gets, before anything is known about the function. */
export function bootEnvironment(runtime: string, launchEnv: Environment, places: Places = USUAL_PLACES): Environment {
  const paths = isCustomRuntime(runtime) ? { PATH: SYSTEM_PATH } : builtInPaths(places);
  return { HOME: '/tmp', LANG: 'C.UTF-8', TZ: 'UTC', ...paths, ...launchEnv };
}

function credentialVariables(order: StartOrder): Environment {
  const channel = order.spec.config.disableInjectCredentials;
  if (channel === 'Env' || channel === 'All') return {};
  return {
    ALIBABA_CLOUD_ACCESS_KEY_ID: order.credentials.accessKeyId,
    ALIBABA_CLOUD_ACCESS_KEY_SECRET: order.credentials.accessKeySecret,
    ALIBABA_CLOUD_SECURITY_TOKEN: order.credentials.securityToken,
  };
}

function customVariables(config: FunctionConfig): Environment {
  const custom = config.customRuntimeConfig;
  if (custom === undefined) return {};
  return { FC_CUSTOM_LISTEN_PORT: String(custom.port), FC_SERVER_PORT: String(custom.port) };
}

function initializerVariables(config: FunctionConfig): Environment {
  if (config.initializer === undefined || config.initializer.handler === '') return {};
  return {
    FC_INITIALIZER_HANDLER: config.initializer.handler,
    FC_INITIALIZATION_TIMEOUT: String(config.initializer.timeout),
  };
}

/**
 * The whole environment of one instance (FC reference 3.3): system and search paths, the platform's variables, then the
 * function's own on top. Both FC_VER_ID and FC_FUNCTION_VERSION are set: which one exists depends on the Debian release in
 * the cloud, and code that moves between them reads either.
 */
export function instanceEnvironment(
  order: StartOrder,
  launchEnv: Environment,
  options: { readonly region: string; readonly endpoints: InsideEndpoints; readonly places: Places },
): Environment {
  const { spec } = order;
  const { config } = spec;
  return {
    ...bootEnvironment(config.runtime, launchEnv, options.places),
    FC_FUNC_CODE_PATH: options.places.code,
    FC_ACCOUNT_ID: spec.account,
    FC_FUNCTION_HANDLER: config.handler,
    FC_FUNCTION_MEMORY_SIZE: String(config.memorySize),
    FC_FUNCTION_NAME: spec.functionName,
    FC_REGION: options.region,
    FC_INSTANCE_ID: order.instanceId,
    FC_VER_ID: spec.versionId,
    FC_FUNCTION_VERSION: spec.versionId,
    FC_RUNTIME: config.runtime,
    FC_TIMEOUT: String(config.timeout),
    ...customVariables(config),
    ...initializerVariables(config),
    ...credentialVariables(order),
    TIDEMILL_ENDPOINT: options.endpoints.api,
    TIDEMILL_OBJECTS_ENDPOINT: options.endpoints.objects,
    ...config.environmentVariables,
  };
}
