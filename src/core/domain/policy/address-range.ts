/** Addresses from a CIDR block, or one address. */
export interface AddressRange {
  /** False for what is no address, and for one of the other family; `::ffff:10.0.0.1` is taken for `10.0.0.1`. */
  contains(address: string): boolean;
}

/** Reads `203.0.113.7`, `10.0.0.0/8`, `fd00::/8`; undefined: it is none of these. */
export type ReadAddressRange = (text: string) => AddressRange | undefined;
