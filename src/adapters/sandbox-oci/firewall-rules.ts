/** What instances may reach, and how much of it, as nftables text. Pure. */

import { ADDRESSES } from './subnets.ts';
import {
  BOUNDED_LOOKING_UP,
  BOUNDED_OPENING,
  BOUNDED_RECEIVING,
  BOUNDED_SENDING,
  type TrafficLimits,
  trafficRules,
} from './traffic-limits.ts';

export interface FirewallInput {
  /** Names of our two tables (families inet and bridge). */
  readonly table: string;
  readonly bridge: string;
  /** What the names of the bridge's ports begin with. */
  readonly portPrefix: string;
  readonly subnet: string;
  readonly gateway: string;
  /** Ports of the platform that instances may call at the gateway address. */
  readonly platformPorts: readonly number[];
  /** Where the platform really listens (see `redirectTarget`); the gateway itself: no redirection. */
  readonly platformHost: string;
  /** The host's name server, offered to instances with internet access at the gateway's port 53. */
  readonly resolver: string | undefined;
  /** How much one instance may take. */
  readonly limits: TrafficLimits;
}

/** Bridge ports of sandboxes with internet access belong to this device group: one write to sysfs changes it. */
export const EGRESS_GROUP = 29805;
/** Carries "has internet access" from the bridge to the IP layer. */
const EGRESS_MARK = '0x40000000';

/** Functions learn at once that they may not, instead of waiting for a time-out. */
const REFUSE = 'reject with icmpx type admin-prohibited';

/** Never reachable: this network, private, shared (carrier), loopback, link-local with metadata, protocol, benchmark,
 * multicast and reserved ranges. */
const FORBIDDEN = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
  ...['192.0.0.0/24', '192.168.0.0/16', '198.18.0.0/15', '224.0.0.0/4', '240.0.0.0/4'],
].join(', ');

const IPV4 = /^(\d{1,3}\.){3}\d{1,3}$/;

/** The IPv4 address that serves calls to the gateway, for a platform that listens on `host`. Throws when there is none. */
export function redirectTarget(host: string, gateway: string): string {
  if (host === '0.0.0.0' || host === '::') return gateway;
  if (host === 'localhost') return '127.0.0.1';
  if (IPV4.test(host)) return host;
  throw new Error(`sandboxes speak IPv4 and cannot reach the platform at ${host}: listen on 127.0.0.1 or 0.0.0.0`);
}

function ports(input: FirewallInput): string {
  return [...new Set(input.platformPorts)].sort((a, b) => a - b).join(', ');
}

function redirections(input: FirewallInput): string[] {
  const rules: string[] = [];
  const list = ports(input);
  const toGateway = `iifname "${input.bridge}" ip daddr ${input.gateway}`;
  if (list !== '' && input.platformHost !== input.gateway) {
    rules.push(`${toGateway} tcp dport { ${list} } dnat ip to ${input.platformHost}`);
  }
  if (input.resolver !== undefined) {
    for (const protocol of ['udp', 'tcp']) {
      rules.push(
        `${toGateway} meta mark & ${EGRESS_MARK} == ${EGRESS_MARK} ${protocol} dport 53 dnat ip to ${input.resolver}`,
      );
    }
  }
  return rules;
}

/** Calls that may pass although they end at this host or behind it; judged by where the instance sent them. */
function sanctioned(input: FirewallInput): string[] {
  const list = ports(input);
  const original = `ct original ip daddr ${input.gateway}`;
  const rules: string[] = [];
  if (list !== '') rules.push(`meta l4proto tcp ${original} ct original proto-dst { ${list} } accept`);
  if (input.resolver !== undefined) {
    for (const protocol of ['udp', 'tcp']) {
      rules.push(
        `meta mark & ${EGRESS_MARK} == ${EGRESS_MARK} meta l4proto ${protocol} ${original} ct original proto-dst 53 accept`,
      );
    }
  }
  return rules;
}

/** The whole rule set; loading it replaces an earlier one in one step, so there is no moment without rules. */
export function firewallRules(input: FirewallInput): string {
  const { table, bridge, subnet } = input;
  return `
table bridge ${table}
delete table bridge ${table}
table bridge ${table} {
  chain mark_egress {
    type filter hook prerouting priority -300; policy accept;
    iifname "${input.portPrefix}*" meta iifgroup ${EGRESS_GROUP} meta mark set meta mark | ${EGRESS_MARK}
  }
}
table inet ${table}
delete table inet ${table}
table inet ${table} {
${trafficRules(input.limits, ADDRESSES, REFUSE)}
  chain from_instances {
    type filter hook prerouting priority mangle; policy accept;
    iifname != "${bridge}" accept
    ip saddr != ${subnet} drop
    ct state new jump ${BOUNDED_OPENING}
    udp dport 53 jump ${BOUNDED_LOOKING_UP}
  }
  chain to_platform {
    type nat hook prerouting priority dstnat; policy accept;
    ${redirections(input).join('\n    ')}
  }
  chain to_internet {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${subnet} oifname != "${bridge}" masquerade
  }
  chain into_host {
    type filter hook input priority -10; policy accept;
    iifname != "${bridge}" accept
    ct state established,related accept
    ct state invalid drop
    ip saddr != ${subnet} drop
    ${sanctioned(input).join('\n    ')}
    ${REFUSE}
  }
  chain through_host {
    type filter hook forward priority -10; policy accept;
    iifname "${bridge}" jump leaving_instances
    oifname "${bridge}" ct state established,related jump ${BOUNDED_RECEIVING}
    oifname "${bridge}" ct state established,related accept
    oifname "${bridge}" drop
  }
  chain leaving_instances {
    meta nfproto ipv6 drop
    ip saddr != ${subnet} drop
    jump ${BOUNDED_SENDING}
    ct state established,related accept
    ct state invalid drop
    ${sanctioned(input).join('\n    ')}
    meta mark & ${EGRESS_MARK} != ${EGRESS_MARK} ${REFUSE}
    oifname "${bridge}" ${REFUSE}
    ip daddr { ${FORBIDDEN} } ${REFUSE}
    accept
  }
}
`;
}

export function firewallRemoval(table: string): string {
  return `table bridge ${table}\ndelete table bridge ${table}\ntable inet ${table}\ndelete table inet ${table}\n`;
}
