/** IPv4 arithmetic for choosing this installation's subnet. Pure. */

/** Addresses of one installation: 4094 instances would fit; a bridge takes 1023 of them at a time. */
export const SUBNET_PREFIX = 20;
const SUBNET_SIZE = 2 ** (32 - SUBNET_PREFIX);
/** How many addresses an installation has at most, its own included. */
export const ADDRESSES = SUBNET_SIZE;
const SUBNETS = 2 ** (SUBNET_PREFIX - 8);
const TEN = 10 * 2 ** 24;
/** Coprime to the number of subnets: every candidate is visited once, and neighbours do not cluster. */
const STRIDE = 1181;

export interface Range {
  readonly first: number;
  readonly last: number;
}

export function parseAddress(text: string): number | undefined {
  const parts = text.split('.').map(Number);
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

export function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

/** The range of `a.b.c.d` or `a.b.c.d/n`; undefined for anything else. */
export function parseRange(text: string): Range | undefined {
  const [base, bits] = text.split('/');
  const address = parseAddress(base ?? '');
  const prefix = bits === undefined ? 32 : Number(bits);
  if (address === undefined || !Number.isInteger(prefix) || prefix < 0 || prefix > 32) return undefined;
  const size = 2 ** (32 - prefix);
  const first = Math.floor(address / size) * size;
  return { first, last: first + size - 1 };
}

export interface Subnet {
  /** In CIDR form. */
  readonly cidr: string;
  /** The host's own address on the bridge: the first of the subnet. */
  readonly gateway: string;
}

/** The subnet number `index` (modulo the number there are). */
function subnetAt(index: number): Subnet & Range {
  const first = TEN + (index % SUBNETS) * SUBNET_SIZE;
  return {
    cidr: `${formatAddress(first)}/${SUBNET_PREFIX}`,
    gateway: formatAddress(first + 1),
    first,
    last: first + SUBNET_SIZE - 1,
  };
}

/** The first subnet of 10.0.0.0/8, starting at `seed`, that meets none of `taken`; undefined when all are taken. */
export function chooseSubnet(seed: number, taken: readonly Range[]): Subnet | undefined {
  for (let step = 0; step < SUBNETS; step++) {
    const subnet = subnetAt(seed + step * STRIDE);
    if (taken.every((range) => range.last < subnet.first || range.first > subnet.last)) {
      return { cidr: subnet.cidr, gateway: subnet.gateway };
    }
  }
  return undefined;
}

/** Slots are numbered from 1; slot n has the n-th address after the gateway. */
export const SLOTS = SUBNET_SIZE - 4;

export function slotAddress(subnet: Subnet, slot: number): string {
  const gateway = parseAddress(subnet.gateway);
  if (gateway === undefined || slot < 1 || slot > SLOTS) throw new Error(`no slot ${slot} in ${subnet.cidr}`);
  return formatAddress(gateway + slot);
}
