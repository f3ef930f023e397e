import { BlockList, isIP } from 'node:net';

/** Addresses that nobody outside this machine and its link has business with, or that hand out the host's own secrets. */
const NEVER = [
  ...['0.0.0.0/8', '169.254.0.0/16', '100.100.100.200/32', '192.0.0.192/32', '224.0.0.0/4', '240.0.0.0/4'],
  ...['::/128', 'fe80::/10', 'fd00:ec2::254/128', 'ff00::/8', '2002::/16', '64:ff9b::/96'],
];
/** Loopback and private networks: only when the operator allows them. */
const LOCAL = [
  ...['127.0.0.0/8', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '192.0.0.0/24', '198.18.0.0/15'],
  ...['::1/128', 'fc00::/7'],
];

/** Where webhooks may go. */
export class AddressPolicy {
  private readonly never = listOf(NEVER);
  private readonly local = listOf(LOCAL);
  private readonly allowed: BlockList;

  /** `allow`: networks as `address/bits`, or single addresses. Throws when one is neither. */
  constructor(allow: readonly string[]) {
    this.allowed = listOf(allow);
  }

  /** Why nothing may be sent there; undefined: it may. */
  refusal(address: string): string | undefined {
    const plain = unmapped(address);
    const family = isIP(plain) === 6 ? 'ipv6' : 'ipv4';
    if (isIP(plain) === 0) return `${address} is no address`;
    if (this.never.check(plain, family)) return `${address} is a link-local, metadata or multicast address`;
    if (this.local.check(plain, family) && !this.allowed.check(plain, family)) {
      return `${address} is a loopback or private address, and the operator has not allowed it`;
    }
    return undefined;
  }

  /** Loopback or private. */
  isLocal(address: string): boolean {
    const plain = unmapped(address);
    return this.local.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4');
  }
}

/** An IPv4 address that is written as one of IPv6 is the IPv4 address. */
function unmapped(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? hexMapped(address) ?? address;
}

function hexMapped(address: string): string | undefined {
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(address) ?? [];
  if (high === undefined || low === undefined) return undefined;
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [a >> 8, a & 255, b >> 8, b & 255].join('.');
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const version = isIP(address);
    const most = version === 6 ? 128 : 32;
    const prefix = bits === undefined ? most : Number(bits);
    if (version === 0 || !Number.isInteger(prefix) || prefix < 0 || prefix > most) {
      throw new Error(`'${network}' is no network: write address/bits`);
    }
    list.addSubnet(address, prefix, version === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}
