import { functionArn, layerArn, objectArn, parseBucketArn, parseLayerArn, roleOfArn } from '../../core/domain/arn.ts';
import { type Principal, rolePrincipal } from '../../core/domain/credentials.ts';
import { parseDestination } from '../../core/domain/destination.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { NO_CONDITIONS, type RequestConditions } from '../../core/domain/policy/decision.ts';
import { trusts } from '../../core/domain/policy/trust.ts';
import type { Input } from '../../core/ports/control.ts';
import type { FcDoorDeps, OperationRequest } from './operation.ts';

type Deps = Pick<FcDoorDeps, 'access' | 'control' | 'region' | 'roles'>;

/** A deploy with the one who makes it. */
export interface Deploy {
  readonly principal: Principal;
  readonly request: OperationRequest;
  readonly conditions: RequestConditions;
}

const FC_SERVICE = 'fc.aliyuncs.com';
/** Services in whose name events arrive; a role for a trigger may trust either its source or Function Compute. */
const SOURCES: Readonly<Record<string, string>> = { oss: 'oss.aliyuncs.com', eventbridge: 'eventbridge.aliyuncs.com' };

/**
 * What a deploy makes the platform do later in somebody's name, whoever deploys must be allowed to do now: act as a role
 * (`ram:PassRole`), read the object that the code is in and the layers, invoke the function behind a trigger, hand results to a destination.
 * Throws AccessDenied otherwise.
 */
export async function checkDeployRights(deps: Deps, operation: string, deploy: Deploy): Promise<void> {
  switch (operation) {
    case 'CreateFunction':
    case 'UpdateFunction':
      checkCode(deps, deploy);
      checkLayers(deps, deploy);
      return checkRole(deps, deploy, deploy.request.body['role'], [FC_SERVICE]);
    case 'CreateLayerVersion':
      return checkCode(deps, deploy);
    case 'PutAsyncInvokeConfig':
      return checkDestinations(deps, deploy);
    case 'CreateTrigger':
    case 'UpdateTrigger':
      return checkTrigger(deps, operation, deploy);
    default:
  }
}

function checkCode({ access, region }: Deps, { principal, request, conditions }: Deploy): void {
  const code = request.body['code'];
  if (!isInput(code)) return;
  const [bucket, object] = [text(code['ossBucketName']), text(code['ossObjectName'])];
  if (bucket === '') return;
  access.check(principal, 'oss:GetObject', objectArn(region, request.account, bucket, object), conditions);
}

/** Code of a layer is read by who mounts it. Layers of other accounts are open to whom their owners say. */
function checkLayers({ access, region }: Deps, { principal, request, conditions }: Deploy): void {
  const layers = request.body['layers'];
  for (const arn of Array.isArray(layers) ? (layers as readonly unknown[]) : []) {
    const layer = parseLayerArn(text(arn));
    if (layer === undefined || (layer.account !== '' && layer.account !== request.account)) continue;
    const resource = layerArn(region, request.account, layer.layer, layer.version);
    access.check(principal, 'fc:GetLayerVersion', resource, conditions);
  }
}

/** Passing a role takes the right to it, and a role that is meant for who gets it. Absent and empty: no role is set. */
function checkRole(deps: Deps, { principal, conditions }: Deploy, value: unknown, services: readonly string[]): void {
  const arn = text(value);
  if (arn === '') return;
  const role = roleOfArn(arn);
  if (role === undefined) {
    throw new TidemillError('InvalidArgument', `'${arn.slice(0, 200)}' is not the ARN of a role`, {
      remedy: 'The form is acs:ram::ACCOUNT:role/NAME.',
    });
  }
  const service = services[0] ?? FC_SERVICE;
  const context = { get: (key: string) => (key === 'acs:service' ? service : conditions.get(key)) };
  deps.access.check(principal, 'ram:PassRole', role.arn, context);
  const trust = deps.roles.trustOf(role.account, role.name);
  if (trust === undefined) {
    throw new TidemillError('InvalidArgument', `the role '${role.arn}' does not exist`, {
      remedy: 'Create the role first, or leave the field out.',
    });
  }
  if (services.some((name) => trusts(trust, { kind: 'service', service: name }, NO_CONDITIONS))) return;
  throw new TidemillError('AccessDenied', `the role '${role.arn}' does not trust ${services.join(' or ')}`, {
    remedy: `Add a statement to the role's trust policy that allows sts:AssumeRole to the service ${service}.`,
  });
}

function checkDestinations({ access, region }: Deps, { principal, request, conditions }: Deploy): void {
  const config = request.body['destinationConfig'];
  if (!isInput(config)) return;
  for (const on of ['onSuccess', 'onFailure']) {
    const each = config[on];
    const destination = isInput(each) ? parseDestination(text(each['destination'])) : undefined;
    if (destination === undefined || destination.kind === 'webhook') continue;
    const account = destination.account === '' ? request.account : destination.account;
    if (destination.kind === 'function') {
      const target = functionArn(region, account, destination.functionName, destination.qualifier);
      access.check(principal, 'fc:InvokeFunction', target, conditions);
    } else {
      const target = objectArn(region, account, destination.bucket, `${destination.prefix}*`);
      access.check(principal, 'oss:PutObject', target, conditions);
    }
  }
}

/**
 * A trigger invokes either as its role, which has to allow that, or by the right of who made it: then that one must be allowed to
 * invoke, and to be told of what happens in the bucket.
 */
async function checkTrigger(deps: Deps, operation: string, deploy: Deploy): Promise<void> {
  const { access, control, region } = deps;
  const { principal, request, conditions } = deploy;
  const { account, body, params } = request;
  const name = params['functionName'] ?? '';
  const before =
    operation === 'UpdateTrigger' ? await control.getTrigger(account, name, params['triggerName'] ?? '') : undefined;
  const type = before?.config.type ?? text(body['triggerType']);
  const source = SOURCES[type];
  checkRole(deps, deploy, body['invocationRole'], source === undefined ? [FC_SERVICE] : [source, FC_SERVICE]);
  const qualifier = text(body['qualifier']) || before?.qualifier;
  const target = functionArn(region, account, name, qualifier === 'LATEST' ? undefined : qualifier);
  const roleArn = text(body['invocationRole'] ?? before?.invocationRole);
  const role = roleOfArn(roleArn);
  access.check(principal, 'fc:InvokeFunction', target, conditions);
  if (role !== undefined) access.check(rolePrincipal(role.account, role.name, 'trigger'), 'fc:InvokeFunction', target);
  const bucket = type === 'oss' ? parseBucketArn(before?.sourceArn ?? text(body['sourceArn'])) : undefined;
  if (bucket !== undefined) {
    access.check(principal, 'oss:PutBucketNotification', objectArn(region, account, bucket), conditions);
  }
}

function isInput(value: unknown): value is Input {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Fields of the wrong type are refused where they are read, with their names. */
function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
