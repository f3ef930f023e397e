import { readFileSync } from 'node:fs';
import { opsPath } from '../api/fc-client.ts';
import type { Context } from '../context.ts';
import { EXIT, usage } from '../failure.ts';
import { table } from '../terminal/text.ts';
import { attachedTo, entityOf, ramPages } from './identities.ts';

interface RoleShape {
  readonly RoleName: string;
  readonly RoleId: string;
  readonly Arn: string;
  readonly MaxSessionDuration: number;
  readonly AssumeRolePolicyDocument?: string;
}

interface PolicyShape {
  readonly PolicyName: string;
  readonly PolicyType: string;
  readonly DefaultVersion: string;
  readonly AttachmentCount: number;
  readonly Description: string;
}

export interface TrustOptions {
  readonly trust?: string;
  readonly functions?: boolean;
  readonly account?: string;
  readonly maxSession?: number;
}

export async function listRoles(context: Context): Promise<number> {
  const roles = await Array.fromAsync(ramPages<RoleShape>(context.client, 'ListRoles', ['Roles', 'Role']));
  context.output.answer({ roles }, () =>
    roles.length === 0
      ? 'no roles yet; create one: tidemill role create NAME --functions'
      : table(
          ['NAME', 'ARN', 'LONGEST SESSION'],
          roles.map((one) => [one.RoleName, one.Arn, `${one.MaxSessionDuration} s`]),
        ),
  );
  return EXIT.ok;
}

/** The trust policy that the options describe. */
function trustOf({ trust, functions, account }: TrustOptions): string {
  if (trust !== undefined) {
    if (functions === true || account !== undefined)
      throw usage('--trust is the whole trust policy: leave out the others');
    return readText(trust);
  }
  const principal = {
    ...(functions === true ? { Service: ['fc.aliyuncs.com'] } : {}),
    ...(account === undefined ? {} : { RAM: [`acs:ram::${account}:root`] }),
  };
  if (Object.keys(principal).length === 0) throw usage('say whom the role trusts: --functions, --account or --trust');
  return JSON.stringify({
    Version: '1',
    Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Principal: principal }],
  });
}

export async function createRole(context: Context, name: string, options: TrustOptions): Promise<number> {
  const { Role } = await context.client.ram<{ Role: RoleShape }>('CreateRole', {
    RoleName: name,
    AssumeRolePolicyDocument: trustOf(options),
    MaxSessionDuration: options.maxSession === undefined ? undefined : String(options.maxSession),
  });
  context.output.answer(Role, () => `${Role.Arn}\ngive it rights: tidemill policy attach POLICY --role ${name}`);
  return EXIT.ok;
}

export async function showRole(context: Context, name: string): Promise<number> {
  const { Role: role } = await context.client.ram<{ Role: RoleShape }>('GetRole', { RoleName: name });
  const policies = await attachedTo(context.client, 'Role', name);
  context.output.answer({ role, policies }, () =>
    [
      role.Arn,
      `policies: ${policies.map((one) => one.PolicyName).join(', ') || 'none'}`,
      `longest session: ${role.MaxSessionDuration} s`,
      `trust: ${role.AssumeRolePolicyDocument}`,
    ].join('\n'),
  );
  return EXIT.ok;
}

export async function deleteRole(context: Context, name: string): Promise<number> {
  await context.client.ram('DeleteRole', { RoleName: name });
  context.output.answer({ deleted: true, role: name }, () => `the role ${name} is deleted; its credentials stop now`);
  return EXIT.ok;
}

/** Credentials of the role that exist stop working. */
export async function revokeRole(context: Context, name: string): Promise<number> {
  const path = opsPath`/roles/${name}/revoke-sessions`;
  const answer = await context.client.call<{ role: string; sessionsRefusedUntil: string }>(
    'RevokeSessions',
    'POST',
    path,
  );
  context.output.answer(
    answer,
    () => `credentials of ${answer.role} from before ${answer.sessionsRefusedUntil} are refused`,
  );
  return EXIT.ok;
}

export async function assumeRole(
  context: Context,
  role: string,
  options: { readonly session: string; readonly duration?: number; readonly policy?: string },
): Promise<number> {
  const { client } = context;
  const arn = role.startsWith('acs:')
    ? role
    : `acs:ram::${(await client.sts<{ AccountId: string }>('GetCallerIdentity')).AccountId}:role/${role}`;
  type Answer = {
    Credentials: Readonly<Record<'AccessKeyId' | 'AccessKeySecret' | 'SecurityToken' | 'Expiration', string>>;
  };
  const { Credentials: keys } = await client.sts<Answer>('AssumeRole', {
    RoleArn: arn,
    RoleSessionName: options.session,
    DurationSeconds: options.duration === undefined ? undefined : String(options.duration),
    Policy: options.policy === undefined ? undefined : readText(options.policy),
  });
  context.output.answer(keys, () =>
    [
      `export TIDEMILL_ACCESS_KEY_ID=${keys.AccessKeyId}`,
      `export TIDEMILL_ACCESS_KEY_SECRET=${keys.AccessKeySecret}`,
      `export TIDEMILL_SECURITY_TOKEN=${keys.SecurityToken}`,
      `# until ${keys.Expiration}`,
    ].join('\n'),
  );
  return EXIT.ok;
}

export async function listPolicies(context: Context, options: { readonly system?: boolean }): Promise<number> {
  const type = { PolicyType: options.system === true ? 'System' : 'Custom' };
  const policies = await Array.fromAsync(
    ramPages<PolicyShape>(context.client, 'ListPolicies', ['Policies', 'Policy'], type),
  );
  context.output.answer({ policies }, () =>
    policies.length === 0
      ? 'no policies of your own; those of the platform: tidemill policy ls --system'
      : table(
          ['NAME', 'VERSION', 'ATTACHED', 'WHAT'],
          policies.map((one) => [one.PolicyName, one.DefaultVersion, String(one.AttachmentCount), one.Description]),
        ),
  );
  return EXIT.ok;
}

/** Makes the policy, or a new default version of it. */
export async function putPolicy(context: Context, name: string, file: string): Promise<number> {
  const { client } = context;
  const PolicyDocument = readText(file);
  const known = await client.find(['EntityNotExist.Policy'], 'GetPolicy', 'POST', '/', {
    version: '2015-05-01',
    query: { PolicyName: name, PolicyType: 'Custom' },
  });
  const version =
    known === undefined
      ? await client.ram<{ Policy: PolicyShape }>('CreatePolicy', { PolicyName: name, PolicyDocument }).then(() => 'v1')
      : await client
          .ram<{ PolicyVersion: { VersionId: string } }>('CreatePolicyVersion', {
            PolicyName: name,
            PolicyDocument,
            SetAsDefault: 'true',
            RotateStrategy: 'DeleteOldestNonDefaultVersionWhenLimitExceeded',
          })
          .then((answer) => answer.PolicyVersion.VersionId);
  context.output.answer(
    { policy: name, version },
    () => `the policy ${name} has the version ${version}, which acts now`,
  );
  return EXIT.ok;
}

export async function showPolicy(context: Context, name: string): Promise<number> {
  const { client } = context;
  const custom = { version: '2015-05-01', query: { PolicyName: name, PolicyType: 'Custom' } };
  type Found = { Policy: PolicyShape; DefaultPolicyVersion: { PolicyDocument: string } };
  const found =
    (await client.find<Found>(['EntityNotExist.Policy'], 'GetPolicy', 'POST', '/', custom)) ??
    (await client.ram<Found>('GetPolicy', { PolicyName: name, PolicyType: 'System' }));
  context.output.answer(found, () => found.DefaultPolicyVersion.PolicyDocument);
  return EXIT.ok;
}

/** Deletes a policy with its older versions. */
export async function deletePolicy(context: Context, name: string): Promise<number> {
  const { client } = context;
  type Versions = { PolicyVersions: { PolicyVersion: { VersionId: string; IsDefaultVersion: boolean }[] } };
  const { PolicyVersions } = await client.ram<Versions>('ListPolicyVersions', {
    PolicyName: name,
    PolicyType: 'Custom',
  });
  for (const { VersionId, IsDefaultVersion } of PolicyVersions.PolicyVersion) {
    if (!IsDefaultVersion) await client.ram('DeletePolicyVersion', { PolicyName: name, VersionId });
  }
  await client.ram('DeletePolicy', { PolicyName: name });
  context.output.answer({ deleted: true, policy: name }, () => `the policy ${name} is deleted`);
  return EXIT.ok;
}

export async function attachPolicy(
  context: Context,
  action: 'attach' | 'detach',
  name: string,
  options: { readonly user?: string; readonly group?: string; readonly role?: string },
): Promise<number> {
  const { client } = context;
  const entity = entityOf(options);
  const custom = { version: '2015-05-01', query: { PolicyName: name, PolicyType: 'Custom' } };
  const known = await client.find(['EntityNotExist.Policy'], 'GetPolicy', 'POST', '/', custom);
  const PolicyType = known === undefined ? 'System' : 'Custom';
  const operation = action === 'attach' ? `AttachPolicyTo${entity.kind}` : `DetachPolicyFrom${entity.kind}`;
  await client.ram(operation, { PolicyName: name, PolicyType, [`${entity.kind}Name`]: entity.name });
  context.output.answer({ policy: name, action, ...entity }, () =>
    action === 'attach'
      ? `${entity.kind.toLowerCase()} ${entity.name} has the rights of ${name}`
      : `${entity.kind.toLowerCase()} ${entity.name} has the rights of ${name} no longer`,
  );
  return EXIT.ok;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw usage(`${path} cannot be read: ${(error as Error).message}`);
  }
}
