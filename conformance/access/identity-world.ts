import Ram, * as ram from '@alicloud/ram20150501';
import Sts, * as sts from '@alicloud/sts20150401';
import OSS from 'ali-oss';
import { type Client, clientOf } from '../fc/world.ts';
import type { Platform } from '../start.ts';

export { ram, sts };
export type RamClient = Ram.default;
export type StsClient = Sts.default;

/** Keys of anybody: temporary ones have a token. */
export interface Keys {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken?: string;
}

function configOf(platform: Platform, keys: Keys): object {
  const { accessKeyId, accessKeySecret, securityToken } = keys;
  return {
    ...{ accessKeyId, accessKeySecret },
    ...(securityToken === undefined ? {} : { securityToken, type: 'sts' }),
    endpoint: new URL(platform.endpoint).host,
    protocol: 'http',
    regionId: 'local',
  };
}

/** The unmodified RAM SDK. */
export function ramOf(platform: Platform, keys: Keys = platform): RamClient {
  return new Ram.default(configOf(platform, keys) as ConstructorParameters<typeof Ram.default>[0]);
}

/** The unmodified STS SDK. */
export function stsOf(platform: Platform, keys: Keys = platform): StsClient {
  return new Sts.default(configOf(platform, keys) as ConstructorParameters<typeof Sts.default>[0]);
}

/** The unmodified FC SDK, as somebody. */
export function fcOf(platform: Platform, { accessKeyId, accessKeySecret, securityToken }: Keys): Client {
  return clientOf(platform, {
    accessKeyId,
    accessKeySecret,
    ...(securityToken === undefined ? {} : { securityToken }),
  });
}

/** The unmodified object store SDK, as somebody. */
export function ossOf(platform: Platform, keys: Keys, bucket?: string): OSS {
  const options = {
    endpoint: platform.objectsEndpoint,
    ...{ accessKeyId: keys.accessKeyId, accessKeySecret: keys.accessKeySecret },
    ...(keys.securityToken === undefined ? {} : { stsToken: keys.securityToken }),
    ...(bucket === undefined ? {} : { bucket }),
    region: 'local',
    // the endpoint is an address: buckets are part of the path
    sldEnable: true,
  };
  return new OSS(options);
}

export function trustOf(principal: Readonly<Record<string, readonly string[]>>): string {
  const statement = { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: principal };
  return JSON.stringify({ Version: '1', Statement: [statement] });
}

export function policyOf(effect: 'Allow' | 'Deny', actions: readonly string[], resources: readonly string[]): string {
  return JSON.stringify({ Version: '1', Statement: [{ Effect: effect, Action: actions, Resource: resources }] });
}

/** A name nobody else uses. */
export function newName(hint: string): string {
  return `${hint}-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
}

/** A user with a key of its own and the policies that are named (custom ones are made of documents). */
export async function newUser(
  client: RamClient,
  policies: { readonly system?: readonly string[]; readonly custom?: readonly string[] } = {},
): Promise<{ readonly userName: string; readonly keys: Keys }> {
  const userName = newName('user');
  await client.createUser(new ram.CreateUserRequest({ userName }));
  for (const policyName of policies.system ?? []) {
    await client.attachPolicyToUser(new ram.AttachPolicyToUserRequest({ policyName, policyType: 'System', userName }));
  }
  for (const policyDocument of policies.custom ?? []) {
    const policyName = newName('policy');
    await client.createPolicy(new ram.CreatePolicyRequest({ policyName, policyDocument }));
    await client.attachPolicyToUser(new ram.AttachPolicyToUserRequest({ policyName, policyType: 'Custom', userName }));
  }
  return { userName, keys: await newKey(client, userName) };
}

export async function newKey(client: RamClient, userName: string): Promise<Keys> {
  const { body } = await client.createAccessKey(new ram.CreateAccessKeyRequest({ userName }));
  const { accessKeyId = '', accessKeySecret = '' } = body?.accessKey ?? {};
  return { accessKeyId, accessKeySecret };
}
