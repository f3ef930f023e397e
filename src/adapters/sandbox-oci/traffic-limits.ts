/**
 * How much of the network one instance may take, as nftables text. Pure. The rules are keyed by address and loaded once with
 * the firewall: an instance costs no process and no rule of its own.
 */

export interface TrafficLimits {
  /** Connections of one instance at a time, to the platform and elsewhere together; datagrams to one place are one. */
  readonly connections: number;
  /** New ones a second; unanswered datagrams are new every time. */
  readonly newConnectionsPerSecond: number;
  /** Questions a second to name servers, as datagrams. */
  readonly lookupsPerSecond: number;
  /** Bytes a second to places beyond this host, and as many from there. */
  readonly bytesPerSecond: number;
}

/** So many seconds' worth of new connections may come at once. */
const BURST_SECONDS = 5;
/**
 * So many bytes may come at once, above the second's worth that the kernel always grants: also with a low rate a packet as the
 * kernel handles it, of up to 64 KB, must fit.
 */
const BYTES_AT_ONCE = 128 * 1024;
/** An unused bucket is forgotten: full again long before. */
const BUCKET_LIFE = '1m';

/**
 * Jump there with the first packet of a connection, before its address is translated (a refusal would carry the wrong one):
 * comes back when the instance may open it, refuses it otherwise.
 */
export const BOUNDED_OPENING = 'bounded_opening';
/** Jump there with a question to a name server: comes back when the instance may ask so many, drops it otherwise. */
export const BOUNDED_LOOKING_UP = 'bounded_looking_up';
/** Jump there with a packet from an instance: comes back when the instance may send so much, drops it otherwise. */
export const BOUNDED_SENDING = 'bounded_sending';
/** The same for a packet to an instance. */
export const BOUNDED_RECEIVING = 'bounded_receiving';

/**
 * Sets and chains for the table of the firewall. `addresses`: how many an installation has, so that no set is ever full; all
 * rules let pass only what was counted, so that what could not be counted does not pass. `refuse`: the verdict for what is not
 * TCP; the kernel sends few such answers a second, and whoever opens too many connections should learn it with each.
 */
export function trafficRules(limits: TrafficLimits, addresses: number, refuse: string): string {
  const { connections, newConnectionsPerSecond: opening, lookupsPerSecond: lookups, bytesPerSecond: bytes } = limits;
  const bytesRule = (set: string, key: string): string =>
    `update @${set} { ip ${key} limit rate ${bytes} bytes/second burst ${BYTES_AT_ONCE} bytes } return`;
  return `
  set open_connections { type ipv4_addr; size ${addresses}; flags dynamic; }
${['opening', 'looking_up', 'sending', 'receiving'].map((name) => `  set ${name} { type ipv4_addr; size ${addresses}; flags dynamic,timeout; timeout ${BUCKET_LIFE}; }`).join('\n')}
  chain refused_opening {
    meta l4proto tcp reject with tcp reset
    ${refuse}
  }
  chain counted_opening {
    add @open_connections { ip saddr ct count ${connections} } return
    goto refused_opening
  }
  chain ${BOUNDED_OPENING} {
    update @opening { ip saddr limit rate ${opening}/second burst ${opening * BURST_SECONDS} packets } goto counted_opening
    goto refused_opening
  }
  chain ${BOUNDED_LOOKING_UP} {
    update @looking_up { ip saddr limit rate ${lookups}/second burst ${lookups} packets } return
    drop
  }
  chain ${BOUNDED_SENDING} {
    ${bytesRule('sending', 'saddr')}
    drop
  }
  chain ${BOUNDED_RECEIVING} {
    ${bytesRule('receiving', 'daddr')}
    drop
  }
`;
}
