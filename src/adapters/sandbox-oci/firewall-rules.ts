/** What instances may reach, and how much of it, as nftables text. Pure. */

import { type EgressLists, FORBIDDEN_RANGES } from './egress-lists.ts';
import { listChains, listJumps, MAY_GO_ANYWHERE, MAY_NOT_LEAVE, markRules } from './egress-rules.ts';
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
  /** The host's name server, offered to instances with internet access that no list narrows, at the gateway's port 53. */
  readonly resolver: string | undefined;
  /** How much one instance may take. */
  readonly limits: TrafficLimits;
  /** Where the instances of which account may go. */
  readonly egress: EgressLists;
}

/** Functions learn at once that they may not, instead of waiting for a time-out. */
const REFUSE = 'reject with icmpx type admin-prohibited';

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
      rules.push(`${toGateway} ${MAY_GO_ANYWHERE} ${protocol} dport 53 dnat ip to ${input.resolver}`);
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
      rules.push(`${MAY_GO_ANYWHERE} meta l4proto ${protocol} ${original} ct original proto-dst 53 accept`);
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
    ${markRules(input.egress, input.portPrefix).join('\n    ')}
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
${listChains(input.egress, REFUSE)}
  chain leaving_instances {
    meta nfproto ipv6 drop
    ip saddr != ${subnet} drop
    jump ${BOUNDED_SENDING}
    ct state established,related accept
    ct state invalid drop
    ${sanctioned(input).join('\n    ')}
    ${MAY_NOT_LEAVE} ${REFUSE}
    oifname "${bridge}" ${REFUSE}
    ${listJumps(input.egress).join('\n    ')}
    ip daddr { ${FORBIDDEN_RANGES.join(', ')} } ${REFUSE}
    accept
  }
}
`;
}

export function firewallRemoval(table: string): string {
  return `table bridge ${table}\ndelete table bridge ${table}\ntable inet ${table}\ndelete table inet ${table}\n`;
}
