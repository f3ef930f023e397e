import { accountGroup, type EgressLists, FIRST_GROUP, FORBIDDEN_RANGES, LAST_GROUP } from './egress-lists.ts';

/** Who may go where, as nftables text: accounts are told by the device group of their instances' ports. Pure. */

/** Group of instances whose account nobody named: they have internet access where no lists are. */
export const EGRESS_GROUP = 29805;
/** Carries "has internet access" from the bridge to the IP layer, and with it the number of the account's list. */
const EGRESS_MARK = 0x4000_0000;
const LIST_BITS = 0x0fff_0000;
const LIST_UNIT = 0x1_0000;

/** No internet access of any kind. */
export const MAY_NOT_LEAVE = `meta mark & ${hex(EGRESS_MARK)} != ${hex(EGRESS_MARK)}`;
/** Internet access that no list narrows. */
export const MAY_GO_ANYWHERE = `meta mark & ${hex(EGRESS_MARK | LIST_BITS)} == ${hex(EGRESS_MARK)}`;

/** The group for a port; 0: no internet access. An instance of nobody goes nowhere where accounts have lists. */
export function groupFor(allowed: boolean, account: string | undefined, egress: EgressLists): number {
  if (!allowed) return 0;
  if (account !== undefined) return accountGroup(account);
  return egress.lists.size === 0 ? EGRESS_GROUP : 0;
}

/** Rules that mark what comes from ports with the prefix; the first that fits counts. */
export function markRules(egress: EgressLists, portPrefix: string): string[] {
  const mark = (groups: string, list: number): string =>
    `iifname "${portPrefix}*" meta iifgroup ${groups} meta mark set meta mark | ${hex(EGRESS_MARK + list * LIST_UNIT)} accept`;
  const accounts = [...egress.lists.keys()];
  const own = accounts.flatMap((account, index) =>
    account === '*' ? [] : [mark(String(accountGroup(account)), index + 1)],
  );
  const rest = mark(`${FIRST_GROUP}-${LAST_GROUP}`, accounts.indexOf('*') + 1);
  return accounts.length === 0 ? [mark(String(EGRESS_GROUP), 0), rest] : [...own, rest];
}

/** One chain for each list: accepts what it names, refuses everything else. */
export function listChains(egress: EgressLists, refuse: string): string {
  const chains = [...egress.lists.values()].map((entries, index) => {
    const rules = (granted: boolean): string[] =>
      entries
        .filter((entry) => entry.granted === granted)
        .map((entry) => `ip daddr ${entry.cidr} meta l4proto { tcp, udp } th dport ${entry.ports} accept`);
    const lines = [...rules(true), `ip daddr { ${FORBIDDEN_RANGES.join(', ')} } ${refuse}`, ...rules(false), refuse];
    return `  chain ${chainOf(index)} {\n    ${lines.join('\n    ')}\n  }`;
  });
  return chains.join('\n');
}

/** Sends packets of accounts with a list into its chain. */
export function listJumps(egress: EgressLists): string[] {
  return [...egress.lists.keys()].map(
    (_, index) => `meta mark & ${hex(LIST_BITS)} == ${hex((index + 1) * LIST_UNIT)} goto ${chainOf(index)}`,
  );
}

function chainOf(index: number): string {
  return `egress_list_${index + 1}`;
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}
