import { resolve } from 'node:path';
import { usage } from '../failure.ts';
import type { CodeSource, ExtraConfig, FunctionPlan, TriggerPlan } from '../deploy/plan.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What the platform is, as far as names in a manifest depend on it. */
export interface Home {
  readonly region: string;
  /** Throws when it is unknown. */
  readonly accountId: () => string;
}

/**
 * What an absent prop means: a manifest describes the whole function, so a redeploy takes back what it no longer says (FC reference 3.1, 8.2).
 */
const DEFAULTS: Fields = {
  description: '',
  handler: 'handler',
  memorySize: 512,
  timeout: 3,
  diskSize: 512,
  instanceConcurrency: 1,
  internetAccess: true,
  environmentVariables: {},
  layers: [],
  role: '',
  disableInjectCredentials: 'None',
  instanceIsolationMode: 'SHARE',
  idleTimeout: -1,
  logConfig: {},
  customDNS: {},
};
const HOOKS_OFF: Fields = { initializer: { handler: '' }, preStop: { handler: '' } };
/** Props that stand for something else than a field of the function. */
const NOT_FIELDS = new Set([
  'region',
  'functionName',
  'code',
  'tags',
  'triggers',
  'asyncInvokeConfig',
  'concurrencyConfig',
  'provisionConfig',
  'scalingConfig',
  'customDomain',
  'vpcBinding',
  'endpoint',
  'annotations',
]);
/** With `auto`, the vendor's tool makes cloud resources; here the platform's default is what there is. */
const AUTO: Readonly<Record<string, string>> = {
  logConfig: "logs always go to the platform's own log",
  vpcConfig: 'instances have a network of their own',
  nasConfig: 'there is no network file system',
  ossMountConfig: 'objects are read through the object store API',
};

/** The plan for one resource of component fc3, its variables resolved (FC reference 8.2). */
export function functionPlan(props: Fields, folder: string, home: Home): FunctionPlan {
  const notes: string[] = [];
  const functionName = text(props.functionName, 'functionName');
  const runtime = text(props.runtime, 'runtime');
  if (typeof props.region === 'string' && props.region !== home.region) {
    notes.push(`region '${props.region}' is deployed to this platform, which is '${home.region}'`);
  }
  if (props.endpoint !== undefined)
    notes.push('endpoint is not used: TIDEMILL_ENDPOINT or the profile says where to deploy');
  const config: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(props)) {
    if (NOT_FIELDS.has(name) || value === undefined || value === null) continue;
    if (value === 'auto' && AUTO[name] !== undefined)
      notes.push(`${name}: auto is the platform's default: ${AUTO[name]}`);
    else config[name] = value;
  }
  for (const [name, value] of Object.entries(DEFAULTS)) config[name] ??= value;
  config.environmentVariables = asTexts(config.environmentVariables);
  if (typeof config.role === 'string' && !['', 'auto'].includes(config.role)) config.role = roleArn(config.role, home);
  if (typeof config.sessionAffinityConfig === 'object')
    config.sessionAffinityConfig = JSON.stringify(config.sessionAffinityConfig);
  config.instanceLifecycleConfig = { ...HOOKS_OFF, ...(config.instanceLifecycleConfig as Fields | undefined) };
  if (runtime.startsWith('custom') && runtime !== 'custom-container') {
    config.customRuntimeConfig = { command: [], args: [], ...(config.customRuntimeConfig as Fields | undefined) };
  }
  return {
    functionName,
    config,
    code: codeSource(props.code, folder),
    triggers: list(props.triggers, 'triggers').map((trigger, index) =>
      triggerPlan(fields(trigger, `triggers[${index}]`), home),
    ),
    httpByDefault: false,
    extras: extraConfigs(props, home),
    headers: annotationHeaders(props.annotations),
    notes,
    ...(props.tags === undefined ? {} : { tags: list(props.tags, 'tags').map(tag) }),
  };
}

/** YAML reads `PORT: 8080` and `DEBUG: true` as number and boolean; an environment has texts. What is neither the platform refuses. */
function asTexts(variables: unknown): unknown {
  if (typeof variables !== 'object' || variables === null || Array.isArray(variables)) return variables;
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [
      name,
      typeof value === 'number' || typeof value === 'boolean' ? String(value) : (value as unknown),
    ]),
  );
}

function codeSource(code: unknown, folder: string): CodeSource | undefined {
  if (code === undefined || code === null) return undefined;
  if (typeof code === 'string') return pathSource(code, folder);
  const { src, ossBucketName, ossObjectName } = fields(code, 'code');
  if (src !== undefined) return pathSource(text(src, 'code.src'), folder);
  return {
    kind: 'object',
    bucket: text(ossBucketName, 'code.ossBucketName'),
    key: text(ossObjectName, 'code.ossObjectName'),
  };
}

function pathSource(path: string, folder: string): CodeSource {
  if (/^https?:\/\//.test(path)) return { kind: 'url', url: path };
  const full = resolve(folder, path);
  return /\.(zip|jar)$/.test(path) ? { kind: 'archive', path: full } : { kind: 'folder', path: full };
}

function triggerPlan(trigger: Fields, home: Home): TriggerPlan {
  const type = text(trigger.triggerType, 'triggerType');
  const config = trigger.triggerConfig ?? {};
  const body: Record<string, unknown> = {
    description: trigger.description ?? '',
    qualifier: trigger.qualifier ?? 'LATEST',
    triggerConfig: typeof config === 'string' ? config : JSON.stringify(config),
  };
  if (typeof trigger.invocationRole === 'string' && !['', 'auto'].includes(trigger.invocationRole)) {
    body.invocationRole = roleArn(trigger.invocationRole, home);
  }
  for (const [name, value] of Object.entries(trigger)) {
    const known = [
      'triggerName',
      'triggerType',
      'triggerConfig',
      'description',
      'qualifier',
      'invocationRole',
      'sourceArn',
    ];
    if (!known.includes(name)) body[name] = value;
  }
  const source = trigger.sourceArn;
  return {
    triggerName: text(trigger.triggerName, 'triggerName'),
    triggerType: type,
    body,
    ...(typeof source === 'string' && source !== '' ? { sourceArn: sourceArn(type, source, home) } : {}),
  };
}

/** A bucket's bare name is enough for an oss trigger. */
function sourceArn(type: string, source: string, home: Home): string {
  return type === 'oss' && !source.includes(':') ? `acs:oss:${home.region}::${source}` : source;
}

function roleArn(role: string, home: Home): string {
  return role.includes(':') ? role : `acs:ram::${home.accountId()}:role/${role}`;
}

/** Everything beside the function itself, in the order the vendor's tool sends it (FC reference 8.2, deploy sequence). */
function extraConfigs(props: Fields, home: Home): readonly ExtraConfig[] {
  const extras: ExtraConfig[] = [];
  const qualified = (name: string, value: unknown, drop: readonly string[]): { body: Fields; qualifier?: string } => {
    const { qualifier, ...rest } = fields(value, name);
    const body = Object.fromEntries(Object.entries(rest).filter(([key]) => !drop.includes(key)));
    return typeof qualifier === 'string' ? { body, qualifier } : { body };
  };
  const { asyncInvokeConfig, vpcBinding, customDomain, provisionConfig, scalingConfig, concurrencyConfig } = props;
  if (asyncInvokeConfig !== undefined) {
    const { body, qualifier } = qualified('asyncInvokeConfig', asyncInvokeConfig, []);
    extras.push({
      kind: 'asyncInvokeConfig',
      body: withAccount(body, home),
      ...(qualifier === undefined ? {} : { qualifier }),
    });
  }
  if (vpcBinding !== undefined) {
    for (const vpcId of list(fields(vpcBinding, 'vpcBinding').vpcIds, 'vpcBinding.vpcIds'))
      extras.push({ kind: 'vpcBinding', body: { vpcId } });
  }
  if (customDomain !== undefined) extras.push({ kind: 'customDomain', body: fields(customDomain, 'customDomain') });
  if (provisionConfig !== undefined)
    extras.push({ kind: 'provisionConfig', ...qualified('provisionConfig', provisionConfig, ['mode']) });
  else if (scalingConfig !== undefined)
    extras.push({ kind: 'scalingConfig', ...qualified('scalingConfig', scalingConfig, []) });
  if (concurrencyConfig !== undefined)
    extras.push({ kind: 'concurrencyConfig', body: fields(concurrencyConfig, 'concurrencyConfig') });
  return extras;
}

/** Destinations may leave the account out (`acs:fc:region::functions/g`): it is the own one. */
function withAccount(body: Fields, home: Home): Fields {
  if (body.destinationConfig === undefined) return body;
  const fill = (arn: string): string =>
    arn.replace(/^(acs:[a-z]+:[^:]*)::/, (_all, head: string) => `${head}:${home.accountId()}:`);
  const filled = JSON.parse(JSON.stringify(body.destinationConfig), (key, value: unknown) =>
    key === 'destination' && typeof value === 'string' ? fill(value) : value,
  ) as unknown;
  return { ...body, destinationConfig: filled };
}

function annotationHeaders(annotations: unknown): Readonly<Record<string, string>> {
  if (annotations === undefined || annotations === null) return {};
  const headers = fields(annotations, 'annotations').headers;
  if (headers === undefined || headers === null) return {};
  return Object.fromEntries(
    Object.entries(fields(headers, 'annotations.headers')).map(([name, value]) => [name, String(value)]),
  );
}

function tag(value: unknown, index: number): { key: string; value: string } {
  const { key, value: content, Key, Value } = fields(value, `tags[${index}]`);
  return { key: text(key ?? Key, `tags[${index}].key`), value: plain(content ?? Value ?? '', `tags[${index}].value`) };
}

function fields(value: unknown, name: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw usage(`${name} must be a map of names to values, not ${JSON.stringify(value)}`);
}

function list(value: unknown, name: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  throw usage(`${name} must be a list`);
}

/** Texts, also empty ones, and what YAML reads as a number or boolean. */
function plain(value: unknown, name: string): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw usage(`${name} is not a text`);
}

function text(value: unknown, name: string): string {
  if (typeof value === 'string' && value !== '') return value;
  if (typeof value === 'number') return String(value);
  throw usage(`${name} is missing or not a text`);
}
