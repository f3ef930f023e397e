import type { FcClient } from '../api/fc-client.ts';
import type { Context } from '../context.ts';
import { EXIT, usage } from '../failure.ts';
import { table } from '../terminal/text.ts';

interface UserShape {
  readonly UserName: string;
  readonly UserId: string;
  readonly DisplayName: string;
  readonly CreateDate: string;
}

interface AttachedShape {
  readonly PolicyName: string;
  readonly PolicyType: string;
  readonly DefaultVersion: string;
}

interface KeyShape {
  readonly AccessKeyId: string;
  readonly Status: string;
  readonly CreateDate: string;
}

/** Every item of a list of RAM's that comes in pages: `Users.User`. */
export async function* ramPages<T>(
  client: FcClient,
  action: string,
  [outer, inner]: readonly [string, string],
  parameters: Readonly<Record<string, string | undefined>> = {},
): AsyncGenerator<T> {
  let marker: string | undefined;
  do {
    const page = await client.ram<Record<string, unknown>>(action, { ...parameters, MaxItems: '1000', Marker: marker });
    yield* (page[outer] as Readonly<Record<string, T[]>> | undefined)?.[inner] ?? [];
    marker = page['IsTruncated'] === true ? String(page['Marker']) : undefined;
  } while (marker !== undefined);
}

export async function listUsers(context: Context): Promise<number> {
  const users = await Array.fromAsync(ramPages<UserShape>(context.client, 'ListUsers', ['Users', 'User']));
  context.output.answer({ users }, () =>
    users.length === 0
      ? 'no users yet; create one: tidemill user create NAME'
      : table(
          ['NAME', 'ID', 'DISPLAY NAME', 'CREATED'],
          users.map((one) => [one.UserName, one.UserId, one.DisplayName, one.CreateDate]),
        ),
  );
  return EXIT.ok;
}

export async function createUser(
  context: Context,
  name: string,
  options: { readonly displayName?: string },
): Promise<number> {
  const parameters = { UserName: name, DisplayName: options.displayName };
  const { User } = await context.client.ram<{ User: UserShape }>('CreateUser', parameters);
  context.output.answer(User, () => `the user ${name} is there; give it a key: tidemill key create ${name}`);
  return EXIT.ok;
}

export async function showUser(context: Context, name: string): Promise<number> {
  const { client } = context;
  const { User: user } = await client.ram<{ User: UserShape }>('GetUser', { UserName: name });
  const policies = await attachedTo(client, 'User', name);
  const keys = await keysOf(client, name);
  const answer = await client.ram<{ Groups: { Group: { GroupName: string }[] } }>('ListGroupsForUser', {
    UserName: name,
  });
  const groups = answer.Groups.Group.map((group) => group.GroupName);
  context.output.answer({ user, policies, keys, groups }, () =>
    [
      `${user.UserName}  ${user.UserId}  since ${user.CreateDate}`,
      `policies: ${policies.map((one) => one.PolicyName).join(', ') || 'none'}`,
      `groups:   ${groups.join(', ') || 'none'}`,
      `keys:     ${keys.map((one) => `${one.AccessKeyId} (${one.Status})`).join(', ') || 'none'}`,
    ].join('\n'),
  );
  return EXIT.ok;
}

export async function deleteUser(context: Context, name: string): Promise<number> {
  await context.client.ram('DeleteUser', { UserName: name });
  context.output.answer({ deleted: true, user: name }, () => `the user ${name} is deleted`);
  return EXIT.ok;
}

export async function attachedTo(
  client: FcClient,
  kind: 'User' | 'Role',
  name: string,
): Promise<readonly AttachedShape[]> {
  const action = `ListPoliciesFor${kind}`;
  const { Policies } = await client.ram<{ Policies: { Policy: AttachedShape[] } }>(action, { [`${kind}Name`]: name });
  return Policies.Policy;
}

async function keysOf(client: FcClient, user: string | undefined): Promise<readonly KeyShape[]> {
  const parameters = { UserName: user };
  const answer = await client.ram<{ AccessKeys: { AccessKey: KeyShape[] } }>('ListAccessKeys', parameters);
  return answer.AccessKeys.AccessKey;
}

/** Keys of a user; without a name the caller's own. */
export async function listKeys(context: Context, user: string | undefined): Promise<number> {
  const keys: (KeyShape & { readonly LastUsedDate: string })[] = [];
  for (const key of await keysOf(context.client, user)) {
    const parameters = { UserName: user, UserAccessKeyId: key.AccessKeyId };
    const used = await context.client.ram<{ AccessKeyLastUsed: { LastUsedDate: string } }>(
      'GetAccessKeyLastUsed',
      parameters,
    );
    keys.push({ ...key, LastUsedDate: used.AccessKeyLastUsed.LastUsedDate });
  }
  context.output.answer({ keys }, () =>
    keys.length === 0
      ? 'no keys'
      : table(
          ['KEY', 'STATUS', 'CREATED', 'LAST USED'],
          keys.map((one) => [one.AccessKeyId, one.Status, one.CreateDate, one.LastUsedDate || 'never']),
        ),
  );
  return EXIT.ok;
}

/** Makes a key and shows its secret, once. */
export async function createKey(context: Context, user: string | undefined): Promise<number> {
  type Made = { AccessKey: KeyShape & { AccessKeySecret: string } };
  const { AccessKey: key } = await context.client.ram<Made>('CreateAccessKey', { UserName: user });
  context.output.answer(key, () =>
    [
      'the key is shown only now:',
      `  TIDEMILL_ACCESS_KEY_ID=${key.AccessKeyId}`,
      `  TIDEMILL_ACCESS_KEY_SECRET=${key.AccessKeySecret}`,
    ].join('\n'),
  );
  return EXIT.ok;
}

export async function switchKey(
  context: Context,
  action: 'disable' | 'enable' | 'delete',
  key: string,
  user: string | undefined,
): Promise<number> {
  const parameters = { UserName: user, UserAccessKeyId: key };
  if (action === 'delete') await context.client.ram('DeleteAccessKey', parameters);
  else {
    const Status = action === 'enable' ? 'Active' : 'Inactive';
    await context.client.ram('UpdateAccessKey', { ...parameters, Status });
  }
  context.output.answer({ key, action }, () => `the key ${key} is ${action}d`);
  return EXIT.ok;
}

/** `--user`, `--group` or `--role`: exactly one. */
export function entityOf(options: { readonly user?: string; readonly group?: string; readonly role?: string }): {
  readonly kind: 'User' | 'Group' | 'Role';
  readonly name: string;
} {
  const given = (['User', 'Group', 'Role'] as const).flatMap((kind) => {
    const name = options[kind.toLowerCase() as 'user' | 'group' | 'role'];
    return name === undefined ? [] : [{ kind, name }];
  });
  const [one, other] = given;
  if (one === undefined || other !== undefined) throw usage('name one of --user, --group and --role');
  return one;
}
