import { parseFunctionArn, parseLayerArn } from '../../core/domain/arn.ts';
import { jsonArray } from './json-parameter.ts';
import type { OperationRequest } from './operation.ts';

/** The right that an operation takes: an action of RAM's, and the resource below `acs:fc:REGION:ACCOUNT:`. */
export interface AccessRule {
  readonly action: string;
  /** With the names of path parameters, `body.` and `query.` members in braces; `a|b` stands for the first that is there. */
  readonly resource: string;
  /** Whole ARNs or names below the prefix, where the template does not say it. */
  readonly resources?: (request: OperationRequest) => readonly string[];
}

function rule(action: string, resource: string, resources?: AccessRule['resources']): AccessRule {
  return { action: `fc:${action}`, resource, ...(resources === undefined ? {} : { resources }) };
}

const FUNCTION = 'functions/{functionName}';
const FUNCTIONS = 'functions/{query.functionName|*}';
const VERSION = `${FUNCTION}/versions/{versionId}`;
const ALIAS = `${FUNCTION}/aliases/{aliasName|body.aliasName|*}`;
const TRIGGER = `${FUNCTION}/triggers/{triggerName|body.triggerName|*}`;
const LAYER = 'layers/{layerName}';
const DOMAIN = 'custom-domains/{domainName|body.domainName|*}';

/**
 * Operation to right, complete: a test compares it with the operations, and docs/reference/policies.md with it. Actions are the names
 * of the operations, as in the vendor's "RAM authorization" page, which has one exception; resources are finer than there.
 */
export const ACCESS_RULES: Readonly<Record<string, AccessRule>> = {
  InvokeFunction: rule('InvokeFunction', `${FUNCTION}[/{query.qualifier}]`),
  CreateFunction: rule('CreateFunction', 'functions/{body.functionName|*}'),
  ListFunctions: rule('ListFunctions', 'functions/*'),
  GetFunction: rule('GetFunction', FUNCTION),
  UpdateFunction: rule('UpdateFunction', FUNCTION),
  DeleteFunction: rule('DeleteFunction', FUNCTION),
  GetFunctionCode: rule('GetFunctionCode', FUNCTION),
  EnableFunctionInvocation: rule('EnableFunctionInvocation', FUNCTION),
  DisableFunctionInvocation: rule('DisableFunctionInvocation', FUNCTION),
  PublishFunctionVersion: rule('PublishFunctionVersion', FUNCTION),
  ListFunctionVersions: rule('ListFunctionVersions', FUNCTION),
  DeleteFunctionVersion: rule('DeleteFunctionVersion', VERSION),
  CreateAlias: rule('CreateAlias', ALIAS),
  ListAliases: rule('ListAliases', `${FUNCTION}/aliases/*`),
  GetAlias: rule('GetAlias', ALIAS),
  UpdateAlias: rule('UpdateAlias', ALIAS),
  DeleteAlias: rule('DeleteAlias', ALIAS),
  CreateLayerVersion: rule('CreateLayerVersion', LAYER),
  ListLayerVersions: rule('ListLayerVersions', LAYER),
  GetLayerVersion: rule('GetLayerVersion', `${LAYER}/versions/{version}`),
  GetLayerVersionByArn: rule('GetLayerVersion', `${LAYER}/versions/{version}`, layerOfArn),
  DeleteLayerVersion: rule('DeleteLayerVersion', `${LAYER}/versions/{version}`),
  ListLayers: rule('ListLayers', 'layers/*'),
  PutLayerACL: rule('PutLayerACL', LAYER),
  CreateTrigger: rule('CreateTrigger', TRIGGER),
  ListTriggers: rule('ListTriggers', `${FUNCTION}/triggers/*`),
  GetTrigger: rule('GetTrigger', TRIGGER),
  UpdateTrigger: rule('UpdateTrigger', TRIGGER),
  DeleteTrigger: rule('DeleteTrigger', TRIGGER),
  PutConcurrencyConfig: rule('PutConcurrencyConfig', FUNCTION),
  GetConcurrencyConfig: rule('GetConcurrencyConfig', FUNCTION),
  DeleteConcurrencyConfig: rule('DeleteConcurrencyConfig', FUNCTION),
  ListConcurrencyConfigs: rule('ListConcurrencyConfigs', FUNCTIONS),
  PutAsyncInvokeConfig: rule('PutFunctionAsyncInvokeConfig', FUNCTION),
  GetAsyncInvokeConfig: rule('GetFunctionAsyncInvokeConfig', FUNCTION),
  DeleteAsyncInvokeConfig: rule('DeleteFunctionAsyncInvokeConfig', FUNCTION),
  ListAsyncInvokeConfigs: rule('ListFunctionAsyncInvokeConfigs', FUNCTIONS),
  PutProvisionConfig: rule('PutProvisionConfig', FUNCTION),
  GetProvisionConfig: rule('GetProvisionConfig', FUNCTION),
  DeleteProvisionConfig: rule('DeleteProvisionConfig', FUNCTION),
  ListProvisionConfigs: rule('ListProvisionConfigs', FUNCTIONS),
  PutScalingConfig: rule('PutScalingConfig', FUNCTION),
  GetScalingConfig: rule('GetScalingConfig', FUNCTION),
  DeleteScalingConfig: rule('DeleteScalingConfig', FUNCTION),
  ListScalingConfigs: rule('ListScalingConfigs', FUNCTIONS),
  ListInstances: rule('ListInstances', FUNCTION),
  InstanceExec: rule('InstanceExec', `${FUNCTION}/instances/{instanceId}`),
  DescribeRegions: rule('DescribeRegions', '*'),
  GetAsyncTask: rule('GetAsyncTask', FUNCTION),
  ListAsyncTasks: rule('ListAsyncTasks', FUNCTION),
  StopAsyncTask: rule('StopAsyncTask', FUNCTION),
  CreateSession: rule('CreateSession', FUNCTION),
  ListSessions: rule('ListSessions', FUNCTION),
  GetSession: rule('GetSession', FUNCTION),
  UpdateSession: rule('UpdateSession', FUNCTION),
  DeleteSession: rule('DeleteSession', FUNCTION),
  PauseSession: rule('PauseSession', FUNCTION),
  ResumeSession: rule('ResumeSession', FUNCTION),
  TagResources: rule('TagResources', 'functions/{each name}', (request) => tagged(request.body['ResourceId'])),
  ListTagResources: rule('ListTagResources', 'functions/{each name|*}', taggedByQuery),
  UntagResources: rule('UntagResources', 'functions/{each name}', taggedByQuery),
  CreateCustomDomain: rule('CreateCustomDomain', DOMAIN),
  UpdateCustomDomain: rule('UpdateCustomDomain', DOMAIN),
  ListCustomDomains: rule('ListCustomDomains', 'custom-domains/*'),
  GetCustomDomain: rule('GetCustomDomain', DOMAIN),
  DeleteCustomDomain: rule('DeleteCustomDomain', DOMAIN),
  ChangeResourceGroup: rule('ChangeResourceGroup', '*'),
  CreateVpcBinding: rule('CreateVpcBinding', FUNCTION),
  DeleteVpcBinding: rule('DeleteVpcBinding', FUNCTION),
  ListVpcBindings: rule('ListVpcBindings', FUNCTION),
};

/** The names below `acs:fc:REGION:ACCOUNT:` that a request is about. */
export function resourcesOf(rule: AccessRule, request: OperationRequest): readonly string[] {
  if (rule.resources !== undefined) return rule.resources(request);
  return [rule.resource.replaceAll(/\{([^}]+)\}/g, (_, names: string) => firstOf(names.split('|'), request))];
}

/** Whether the rule can only be applied once the body is there. */
export function needsBody(rule: AccessRule): boolean {
  return rule.resource.includes('body.') || rule.resource.includes('each name}');
}

function firstOf(names: readonly string[], { params, query, body }: OperationRequest): string {
  for (const name of names) {
    if (name === '*') return name;
    const [place, member] = name.includes('.') ? name.split('.', 2) : ['', name];
    const from: Readonly<Record<string, unknown>> = place === 'body' ? body : place === 'query' ? query : params;
    const value = Object.hasOwn(from, member ?? '') ? from[member ?? ''] : undefined;
    if (typeof value === 'string' && value !== '') return value;
  }
  return '';
}

/** What is not a function's ARN is refused later by name, and with it the whole request. */
function tagged(ids: unknown): readonly string[] {
  const names = (Array.isArray(ids) ? (ids as readonly unknown[]) : []).flatMap((id) => {
    const name = typeof id === 'string' ? parseFunctionArn(id)?.name : undefined;
    return name === undefined ? [] : [`functions/${name}`];
  });
  return names.length === 0 ? ['functions/*'] : names;
}

function taggedByQuery({ query }: OperationRequest): readonly string[] {
  return tagged(jsonArray(query, 'ResourceId'));
}

/** A layer of another account is open to whom its owner says: here it takes the right to look at layers at all. */
function layerOfArn({ account, params }: OperationRequest): readonly string[] {
  const layer = parseLayerArn(params['*'] ?? '');
  const own = layer !== undefined && (layer.account === '' || layer.account === account);
  return [own ? `layers/${layer.layer}/versions/${layer.version}` : 'layers/*'];
}
