/** What a trigger's URLs are made from. */
export interface TriggerUrlParts {
  readonly prefix: string;
  readonly region: string;
  readonly scheme: 'http' | 'https';
  /** Host and port as clients write them. */
  readonly authority: string;
  readonly apiPort: number;
  readonly domain: string | undefined;
}

/**
 * The two URLs of an HTTP trigger (FC reference 6.2). With a domain of the operator's own, the public one is a host below it.
 * Without, it is a path, which works with every client on any address; the host form below `fcapp.localhost` works in
 * browsers and curl, and gives a web application the root path it expects.
 */
export function triggerUrls(parts: TriggerUrlParts): { internet: string; intranet: string } {
  const { prefix, region, scheme, authority, apiPort, domain } = parts;
  const path = `${scheme}://${authority}/~${prefix}/`;
  if (domain === undefined)
    return { internet: path, intranet: `${scheme}://${prefix}.${region}.fcapp.localhost:${apiPort}` };
  return { internet: `${scheme}://${prefix}.${domain}${apiPort === 443 ? '' : `:${apiPort}`}`, intranet: path };
}
