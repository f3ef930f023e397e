import { type Command, InvalidArgumentError } from 'commander';
import type { Context } from './context.ts';

type Perform = (action: (context: Context) => Promise<number>) => Promise<void>;
type Examples = (command: Command, ...lines: readonly string[]) => Command;

/** Accounts, users, keys, roles and policies: thin over the platform's own APIs for them. */
export function addIdentityCommands(program: Command, perform: Perform, examples: Examples): void {
  addAccountCommands(program, perform, examples);
  addUserCommands(program, perform, examples);
  addRoleCommands(program, perform, examples);
  addPolicyCommands(program, perform, examples);
}

function secondsOf(value: string): number {
  if (!/^\d{1,6}$/.test(value)) throw new InvalidArgumentError('It must be a whole number of seconds.');
  return Number(value);
}

function addAccountCommands(program: Command, perform: Perform, examples: Examples): void {
  const load = () => import('./commands/accounts.ts');
  const group = program.command('account').description('accounts of this installation, their quotas and what they use');
  group
    .command('ls')
    .description('list the accounts (operator)')
    .action(() => perform(async (context) => (await load()).listAccounts(context)));
  group
    .command('create')
    .argument('<name>', 'what to call it')
    .description('make an account and show the key of its root, once (operator)')
    .action((name: string) => perform(async (context) => (await load()).createAccount(context, name)));
  group
    .command('show')
    .argument('[id]', 'account (default: your own)')
    .description('what an account uses, and may use')
    .action((id: string | undefined) => perform(async (context) => (await load()).showAccount(context, id)));
  for (const action of ['disable', 'enable'] as const) {
    group
      .command(action)
      .argument('<id>', 'account')
      .description(
        action === 'disable'
          ? 'refuse its keys and run none of its functions, from now on (operator)'
          : 'let a disabled account act again (operator)',
      )
      .action((id: string) => perform(async (context) => (await load()).switchAccount(context, action, id)));
  }
  group
    .command('delete')
    .argument('<id>', 'account')
    .description('delete an account that owns nothing any more (operator)')
    .action((id: string) => perform(async (context) => (await load()).deleteAccount(context, id)));
  group
    .command('quota')
    .argument('<id>', 'account')
    .argument('<settings...>', 'NAME=NUMBER, or NAME=standard')
    .description('set quotas of an account (operator)')
    .action((id: string, settings: string[]) =>
      perform(async (context) => (await load()).setQuotas(context, id, settings)),
    );
  examples(
    group,
    'tidemill account create team-a',
    'tidemill account show',
    'tidemill account quota 1234567890123456 functions=50 memoryMb=8192',
    'tidemill account disable 1234567890123456',
  );
}

function addUserCommands(program: Command, perform: Perform, examples: Examples): void {
  const load = () => import('./commands/identities.ts');
  const users = program.command('user').description('users of your account');
  users
    .command('ls')
    .description('list users')
    .action(() => perform(async (context) => (await load()).listUsers(context)));
  users
    .command('create')
    .argument('<name>', 'user')
    .description('make a user, who may do nothing yet')
    .option('--display-name <text>', 'what people call it')
    .action((name: string, options: object) =>
      perform(async (context) => (await load()).createUser(context, name, options)),
    );
  users
    .command('show')
    .argument('<name>', 'user')
    .description('policies, groups and keys of a user')
    .action((name: string) => perform(async (context) => (await load()).showUser(context, name)));
  users
    .command('delete')
    .argument('<name>', 'user')
    .description('delete a user that has no keys, policies and groups')
    .action((name: string) => perform(async (context) => (await load()).deleteUser(context, name)));
  examples(users, 'tidemill user create ann', 'tidemill user show ann');
  const keys = program.command('key').description('access keys: of a user, or your own');
  keys
    .command('ls')
    .argument('[user]', 'user (default: you)')
    .description('list keys, and when each was last used')
    .action((user: string | undefined) => perform(async (context) => (await load()).listKeys(context, user)));
  keys
    .command('create')
    .argument('[user]', 'user (default: you)')
    .description('make a key and show its secret, once; a user has at most two')
    .action((user: string | undefined) => perform(async (context) => (await load()).createKey(context, user)));
  for (const action of ['disable', 'enable', 'delete'] as const) {
    keys
      .command(action)
      .argument('<key>', 'id of the key')
      .argument('[user]', 'user (default: you)')
      .description(`${action} a key${action === 'disable' ? ': it is refused from now on' : ''}`)
      .action((key: string, user: string | undefined) =>
        perform(async (context) => (await load()).switchKey(context, action, key, user)),
      );
  }
  examples(keys, 'tidemill key create ann', 'tidemill key ls ann', 'tidemill key disable TMAK0123456789ABCDEF0123 ann');
}

function addRoleCommands(program: Command, perform: Perform, examples: Examples): void {
  const load = () => import('./commands/roles.ts');
  const roles = program.command('role').description('roles of your account: what functions and others act as');
  roles
    .command('ls')
    .description('list roles')
    .action(() => perform(async (context) => (await load()).listRoles(context)));
  roles
    .command('create')
    .argument('<name>', 'role')
    .description('make a role, which may do nothing yet')
    .option('--functions', 'functions may have it')
    .option('--account <id>', 'users and roles of this account may assume it, if their policies say so too')
    .option('--trust <file>', 'the whole trust policy, instead')
    .option('--max-session <seconds>', 'longest life of its credentials: 3600 to 43200', secondsOf)
    .action((name: string, options: object) =>
      perform(async (context) => (await load()).createRole(context, name, options)),
    );
  roles
    .command('show')
    .argument('<name>', 'role')
    .description('policies and trust of a role')
    .action((name: string) => perform(async (context) => (await load()).showRole(context, name)));
  roles
    .command('delete')
    .argument('<name>', 'role')
    .description('delete a role without policies; its credentials stop at once')
    .action((name: string) => perform(async (context) => (await load()).deleteRole(context, name)));
  roles
    .command('revoke')
    .argument('<name>', 'role')
    .description('refuse the credentials that were given for the role until now')
    .action((name: string) => perform(async (context) => (await load()).revokeRole(context, name)));
  roles
    .command('assume')
    .argument('<role>', 'name, or ARN of a role of another account')
    .description('get credentials of a role, as lines for a shell')
    .option('--session <name>', 'name of the session, seen in logs', 'cli')
    .option('--duration <seconds>', 'life of the credentials (default: 3600)', secondsOf)
    .option('--policy <file>', 'narrows what the session may do')
    .action((role: string, options: { session: string }) =>
      perform(async (context) => (await load()).assumeRole(context, role, options)),
    );
  examples(
    roles,
    'tidemill role create worker --functions',
    'tidemill policy attach AliyunOSSReadOnlyAccess --role worker',
    'eval "$(tidemill role assume acs:ram::1234567890123456:role/deployer)"',
    'tidemill role revoke worker',
  );
}

function addPolicyCommands(program: Command, perform: Perform, examples: Examples): void {
  const load = () => import('./commands/roles.ts');
  const policies = program.command('policy').description('policies: what users, groups and roles may do');
  policies
    .command('ls')
    .description('list the policies of your account')
    .option('--system', 'those of the platform instead')
    .action((options: object) => perform(async (context) => (await load()).listPolicies(context, options)));
  policies
    .command('put')
    .argument('<name>', 'policy')
    .argument('<file>', 'its document, JSON')
    .description('make a policy, or a new version of it that acts from now on')
    .action((name: string, file: string) => perform(async (context) => (await load()).putPolicy(context, name, file)));
  policies
    .command('show')
    .argument('<name>', 'policy')
    .description('print the document that acts')
    .action((name: string) => perform(async (context) => (await load()).showPolicy(context, name)));
  policies
    .command('delete')
    .argument('<name>', 'policy')
    .description('delete a policy that is attached nowhere')
    .action((name: string) => perform(async (context) => (await load()).deletePolicy(context, name)));
  policies
    .command('simulate')
    .argument('<action>', 'such as fc:InvokeFunction')
    .argument('<resource>', 'such as acs:fc:local:ACCOUNT:functions/hello')
    .description(
      'say whether somebody would be allowed to do something, and which statement decides; exit code 1: denied',
    )
    .option('-p, --principal <who>', 'user/NAME, role/NAME, root, or a full ARN')
    .option('--policy <file>', 'a policy document that acts too, or alone (may be given again)', collected)
    .option('--session <file>', 'a session policy that narrows the others')
    .option('-c, --condition <key=value>', 'a key of the request (may be given again)', collected)
    .action((action: string, resource: string, options: object) =>
      perform(async (context) =>
        (await import('./commands/policy.ts')).simulatePolicy(context, action, resource, options),
      ),
    );
  for (const action of ['attach', 'detach'] as const) {
    policies
      .command(action)
      .argument('<name>', 'policy')
      .description(action === 'attach' ? 'give somebody the rights of a policy' : 'take the rights of a policy away')
      .option('--user <name>', 'user')
      .option('--group <name>', 'group')
      .option('--role <name>', 'role')
      .action((name: string, options: object) =>
        perform(async (context) => (await load()).attachPolicy(context, action, name, options)),
      );
  }
  examples(
    policies,
    'tidemill policy put read-inbox policy.json',
    'tidemill policy attach read-inbox --user ann',
    'tidemill policy ls --system',
    'tidemill policy simulate fc:InvokeFunction acs:fc:local:1234567890123456:functions/hello --principal user/alice',
    'tidemill policy simulate oss:ListObjects acs:oss:local:1234567890123456:photos --policy p.json -c oss:Prefix=2026/',
  );
}

function collected(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
