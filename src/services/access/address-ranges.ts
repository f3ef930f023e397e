import ipaddr from 'ipaddr.js';
import type { AddressRange, ReadAddressRange } from '../../core/domain/policy/address-range.ts';

/**
 * Plain addresses and CIDR blocks, both families. The forms that only old C libraries take (`0177.1`, `10.1`) are none, and
 * neither are addresses of one interface (`fe80::1%eth0`).
 */
export const readAddressRange: ReadAddressRange = (text) => {
  const slash = text.indexOf('/');
  const address = addressOf(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined || text.includes('%')) return undefined;
  const whole = address.kind() === 'ipv4' ? 32 : 128;
  const prefix = slash < 0 ? String(whole) : text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(prefix) || Number(prefix) > whole) return undefined;
  return new Range(address, Number(prefix));
};

class Range implements AddressRange {
  private readonly base: ipaddr.IPv4 | ipaddr.IPv6;
  private readonly prefix: number;

  constructor(base: ipaddr.IPv4 | ipaddr.IPv6, prefix: number) {
    this.base = base;
    this.prefix = prefix;
  }

  contains(address: string): boolean {
    const actual = callerAddress(address);
    return actual !== undefined && actual.kind() === this.base.kind() && actual.match(this.base, this.prefix);
  }
}

function addressOf(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (text.includes(':') ? !ipaddr.IPv6.isValid(text) : !ipaddr.IPv4.isValidFourPartDecimal(text)) return undefined;
  return ipaddr.process(text);
}

let lastText = '';
let lastAddress: ipaddr.IPv4 | ipaddr.IPv6 | undefined;

/** The same callers ask again and again, each of several ranges: reading the address costs more than comparing it. */
function callerAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (text === lastText) return lastAddress;
  lastAddress = addressOf(text);
  lastText = text;
  return lastAddress;
}
