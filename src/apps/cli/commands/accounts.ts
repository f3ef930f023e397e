import { opsPath } from '../api/fc-client.ts';
import type { Context } from '../context.ts';
import { EXIT, usage } from '../failure.ts';
import { bytesText, table } from '../terminal/text.ts';

interface AccountShape {
  readonly account: string;
  readonly name: string;
  readonly status: string;
  readonly createdAt: string;
  readonly quotas: Readonly<Record<string, number>>;
  readonly ownQuotas: Readonly<Record<string, number>>;
  readonly usage: Readonly<Record<string, number>>;
}

export async function listAccounts(context: Context): Promise<number> {
  const path = opsPath`/accounts`;
  const { accounts } = await context.client.call<{ accounts: AccountShape[] }>('ListAccounts', 'GET', path);
  context.output.answer({ accounts }, () =>
    table(
      ['ACCOUNT', 'NAME', 'STATUS', 'FUNCTIONS', 'OBJECTS', 'CREATED'],
      accounts.map((one) => [
        one.account,
        one.name,
        one.status,
        String(one.usage['functions'] ?? 0),
        String(one.usage['objects'] ?? 0),
        one.createdAt,
      ]),
    ),
  );
  return EXIT.ok;
}

/** Makes an account and shows the key of its root, once. */
export async function createAccount(context: Context, name: string): Promise<number> {
  const made = await context.client.call<{
    account: AccountShape;
    key: { accessKeyId: string; accessKeySecret: string };
  }>('CreateAccount', 'POST', opsPath`/accounts`, { body: { name } });
  const { account, key } = made;
  context.output.answer(made, () =>
    [
      `the account ${account.account} (${account.name}) is there; the key of its root is shown only now:`,
      `  TIDEMILL_ACCOUNT_ID=${account.account}`,
      `  TIDEMILL_ACCESS_KEY_ID=${key.accessKeyId}`,
      `  TIDEMILL_ACCESS_KEY_SECRET=${key.accessKeySecret}`,
    ].join('\n'),
  );
  return EXIT.ok;
}

/** What an account uses and may use; without an id the caller's own. */
export async function showAccount(context: Context, id: string | undefined): Promise<number> {
  const account = id ?? (await context.client.sts<{ AccountId: string }>('GetCallerIdentity')).AccountId;
  return show(context, await context.client.call<AccountShape>('GetAccount', 'GET', opsPath`/accounts/${account}`));
}

export async function switchAccount(context: Context, action: 'disable' | 'enable', id: string): Promise<number> {
  const name = action === 'disable' ? 'DisableAccount' : 'EnableAccount';
  return show(context, await context.client.call<AccountShape>(name, 'POST', opsPath`/accounts/${id}/${action}`));
}

export async function deleteAccount(context: Context, id: string): Promise<number> {
  await context.client.call('DeleteAccount', 'DELETE', opsPath`/accounts/${id}`);
  context.output.answer({ deleted: true, account: id }, () => `the account ${id} is deleted`);
  return EXIT.ok;
}

/** Sets quotas of one account: `NAME=NUMBER`, or `NAME=standard`. */
export async function setQuotas(context: Context, id: string, settings: readonly string[]): Promise<number> {
  const body: Record<string, number | null> = {};
  for (const setting of settings) {
    const match = /^(\w+)=(\d{1,15}|standard)$/.exec(setting);
    if (match === null) throw usage(`'${setting}' is not of the form NAME=NUMBER or NAME=standard`);
    body[match[1] ?? ''] = match[2] === 'standard' ? null : Number(match[2]);
  }
  const path = opsPath`/accounts/${id}/quotas`;
  return show(context, await context.client.call<AccountShape>('SetAccountQuotas', 'POST', path, { body }));
}

function show(context: Context, one: AccountShape): number {
  context.output.answer(one, () => {
    const numberText = (name: string, value: number | undefined): string =>
      value === undefined ? '' : name.endsWith('Bytes') ? bytesText(value) : String(value);
    const rows = Object.entries(one.quotas).map(([name, most]) => [
      name,
      numberText(name, one.usage[name]),
      numberText(name, most),
      one.ownQuotas[name] === undefined ? '' : 'set for this account',
    ]);
    return `${one.account}  ${one.name}  ${one.status}  since ${one.createdAt}\n${table(['QUOTA', 'USED', 'MOST', ''], rows)}`;
  });
  return EXIT.ok;
}
