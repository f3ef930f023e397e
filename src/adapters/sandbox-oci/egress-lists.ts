import { createHash } from 'node:crypto';
import ipaddr from 'ipaddr.js';

/** Places that instances of an account may go to. What no entry names is refused. */
export interface EgressEntry {
  /** IPv4, `address/bits`. */
  readonly cidr: string;
  /** TCP and UDP ports, as nftables writes them: `443` or `8000-8100`. */
  readonly ports: string;
  /** It lies within a private range that the operator granted. */
  readonly granted: boolean;
}

export interface EgressLists {
  /** By account, or `*` for every account without a list of its own. Empty: every public address, for all. */
  readonly lists: ReadonlyMap<string, readonly EgressEntry[]>;
  /** Private ranges that were granted, `address/bits`. */
  readonly granted: readonly string[];
}

export const NO_LISTS: EgressLists = { lists: new Map(), granted: [] };

/** Never reachable unless granted: private and shared (carrier) ranges. */
const PRIVATE = ['10.0.0.0/8', '100.64.0.0/10', '172.16.0.0/12', '192.168.0.0/16'];
/** Never reachable: this network, loopback, link-local with metadata, protocol, benchmark, multicast and reserved ranges. */
const NEVER = [
  ...['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '192.0.0.0/24'],
  ...['198.18.0.0/15', '224.0.0.0/4', '240.0.0.0/4'],
];
/** What no instance reaches but by a grant, as nftables text. */
export const FORBIDDEN_RANGES: readonly string[] = [...PRIVATE, ...NEVER];

const ENTRY = /^([^:]+):(\*|\d{1,5}(?:-\d{1,5})?)$/;
const ACCOUNT = /^(\*|[A-Za-z0-9_-]{1,64})$/;
const MOST_LISTS = 256;
const MOST_ENTRIES = 256;
const LAST_PORT = 65_535;

type Cidr = [ipaddr.IPv4, number];

/**
 * Reads `{"egress": {"ACCOUNT or *": ["203.0.113.0/24:443", "198.51.100.7:*"]}, "private": ["10.1.0.0/16"]}`. Throws, naming
 * what it was, at anything that is unknown, malformed or would not do what it says.
 */
export function parseEgressLists(given: unknown): EgressLists {
  const fields = recordOf(given, 'network');
  for (const name of Object.keys(fields)) {
    if (name !== 'egress' && name !== 'private') throw new Error(`there is no setting network.${name}`);
  }
  const granted = textsOf(fields.private ?? [], 'network.private').map(parseGrant);
  const egress = Object.entries(recordOf(fields.egress ?? {}, 'network.egress'));
  if (egress.length > MOST_LISTS)
    throw new Error(`network.egress has ${egress.length} lists; ${MOST_LISTS} are the most`);
  const lists = new Map<string, readonly EgressEntry[]>();
  const groups = new Map<number, string>();
  for (const [account, value] of egress) {
    const where = `network.egress.${account}`;
    if (!ACCOUNT.test(account)) throw new Error(`${where}: must be an account id or *`);
    const twin = groups.get(accountGroup(account));
    if (twin !== undefined)
      throw new Error(`${where}: cannot be told from account ${twin}; use one list for both, as *`);
    groups.set(accountGroup(account), account);
    const entries = textsOf(value, where);
    if (entries.length > MOST_ENTRIES)
      throw new Error(`${where} has ${entries.length} entries; ${MOST_ENTRIES} are the most`);
    lists.set(
      account,
      entries.map((entry) => parseEntry(entry, where, granted)),
    );
  }
  if (granted.length > 0 && lists.size === 0)
    throw new Error('network.private grants nothing without a list in network.egress that names it');
  return { lists, granted: granted.map(textOf) };
}

/** Device group of an account's instances with internet access: the same whatever the lists are, so that it outlives them. */
export function accountGroup(account: string): number {
  return FIRST_GROUP + (createHash('sha256').update(account).digest().readUInt32BE() % (LAST_GROUP - FIRST_GROUP + 1));
}

export const FIRST_GROUP = 0x4000_0000;
export const LAST_GROUP = 0x7fff_ffff;

function parseEntry(text: string, where: string, granted: readonly Cidr[]): EgressEntry {
  const [, place, ports] = ENTRY.exec(text) ?? [];
  if (place === undefined || ports === undefined)
    throw new Error(`${where}: "${text}" must be ADDRESS[/BITS]:PORT, PORT-PORT or * for the port`);
  if (!ipaddr.IPv4.isValidFourPartDecimal(place.split('/')[0] ?? '') && /[a-z]/i.test(place))
    throw new Error(`${where}: "${text}" is a name; lists of names are not supported, give addresses`);
  const cidr = parseCidr(place.includes('/') ? place : `${place}/32`, where);
  const inGrant = granted.some((grant) => contains(grant, cidr));
  const closed = FORBIDDEN_RANGES.find((range) => contains(ipaddr.IPv4.parseCIDR(range), cidr));
  if (closed !== undefined && !inGrant) {
    const help = PRIVATE.includes(closed) ? 'grant it in network.private' : 'no setting opens it';
    throw new Error(`${where}: "${text}" lies in ${closed}, which no instance reaches: ${help}`);
  }
  return { cidr: textOf(cidr), ports: parsePorts(ports, `${where}: "${text}"`), granted: inGrant };
}

function parsePorts(text: string, where: string): string {
  if (text === '*') return `1-${LAST_PORT}`;
  const [first = 0, last = first] = text.split('-').map(Number);
  if (first < 1 || last > LAST_PORT || first > last)
    throw new Error(`${where}: ports go from 1 to ${LAST_PORT}, upwards`);
  return first === last ? String(first) : `${first}-${last}`;
}

function parseGrant(text: string): Cidr {
  const cidr = parseCidr(text, 'network.private');
  if (PRIVATE.some((range) => contains(ipaddr.IPv4.parseCIDR(range), cidr))) return cidr;
  throw new Error(`network.private: "${text}" must lie in one of ${PRIVATE.join(', ')}; nothing else can be granted`);
}

function parseCidr(text: string, where: string): Cidr {
  const [address = '', bits = ''] = text.split('/');
  const valid = ipaddr.IPv4.isValidFourPartDecimal(address) && /^\d{1,2}$/.test(bits) && Number(bits) <= 32;
  if (!valid || text.split('/').length !== 2)
    throw new Error(`${where}: "${text}" must be an IPv4 range, ADDRESS/BITS`);
  if (ipaddr.IPv4.networkAddressFromCIDR(text).toString() !== ipaddr.IPv4.parse(address).toString())
    throw new Error(`${where}: "${text}" has bits behind its first ${bits}: name the range by its first address`);
  return ipaddr.IPv4.parseCIDR(text);
}

function contains(outer: Cidr, inner: Cidr): boolean {
  return inner[1] >= outer[1] && inner[0].match(outer);
}

function textOf([address, bits]: Cidr): string {
  return `${address.toString()}/${bits}`;
}

function recordOf(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${where} must be an object`);
  return value as Record<string, unknown>;
}

function textsOf(value: unknown, where: string): readonly string[] {
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string'))
    throw new Error(`${where} must be a list of texts`);
  return value;
}
