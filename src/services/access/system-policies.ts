/** A policy that comes with the platform; every account has it, nobody can change it. */
export interface SystemPolicy {
  readonly name: string;
  readonly description: string;
  readonly document: string;
}

const FC_READ = ['fc:Get*', 'fc:List*'];
const OSS_READ = ['oss:Get*', 'oss:List*'];

/** The vendor's system policies that speak about what this platform has, with the vendor's names and meaning. */
export const SYSTEM_POLICIES: readonly SystemPolicy[] = [
  allow('AdministratorAccess', 'Everything in the account.', ['*']),
  allow('ReadOnlyAccess', 'Read-only access to everything in the account.', [
    ...FC_READ,
    ...OSS_READ,
    'ram:Get*',
    'ram:List*',
    'sts:GetCallerIdentity',
  ]),
  allow('AliyunFCFullAccess', 'Everything of Function Compute, and passing roles to it.', ['fc:*', 'ram:PassRole']),
  allow('AliyunFCReadOnlyAccess', 'Read-only access to Function Compute.', FC_READ),
  allow('AliyunFCInvocationAccess', 'Invoking functions.', ['fc:InvokeFunction']),
  allow('AliyunOSSFullAccess', 'Everything of the object store.', ['oss:*']),
  allow('AliyunOSSReadOnlyAccess', 'Read-only access to the object store.', OSS_READ),
  allow('AliyunSTSAssumeRoleAccess', 'Assuming roles.', ['sts:AssumeRole']),
  allow('AliyunRAMFullAccess', 'Users, groups, roles and policies.', ['ram:*']),
  allow('AliyunRAMReadOnlyAccess', 'Read-only access to users, groups, roles and policies.', ['ram:Get*', 'ram:List*']),
];

export function systemPolicy(name: string): SystemPolicy | undefined {
  return SYSTEM_POLICIES.find((policy) => policy.name === name);
}

function allow(name: string, description: string, actions: readonly string[]): SystemPolicy {
  const statement = { Effect: 'Allow', Action: actions, Resource: '*' };
  return { name, description, document: JSON.stringify({ Version: '1', Statement: [statement] }) };
}
