import type { RequestHead } from '../wire/exchange.ts';

/** Where a request to an HTTP trigger was aimed. */
export interface TriggerAddress {
  readonly domainPrefix: string;
  /** Path and query as the function shall see them: without the path form's own first segment. */
  readonly target: string;
  /** `internal` is the counterpart of the field's intranet URL; the others are the internet one (FC reference 6.2). */
  readonly form: 'path' | 'domain' | 'internal';
}

export interface TriggerDomains {
  readonly region: string;
  /** Own domain whose subdomains are triggers, lower case; undefined when none is configured. */
  readonly baseDomain: string | undefined;
}

const PATH_FORM = /^\/~([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?=[/?]|$)/;
/** Whether a target names its trigger itself; the Host says nothing then. */
export function inPathForm(target: string): boolean {
  return target.startsWith('/~') && PATH_FORM.test(target);
}

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Finds the domain prefix of a request: path form `/~<prefix>/...`, or Host `<prefix>.<region>.fcapp.localhost`, or Host
 * `<prefix>.<base domain>`. Undefined when the request is not for a trigger.
 */
export function triggerAddress(req: RequestHead, domains: TriggerDomains): TriggerAddress | undefined {
  const target = req.url ?? '/';
  const path = PATH_FORM.exec(target);
  if (path !== null) {
    const rest = target.slice(path[0].length);
    return { domainPrefix: path[1] ?? '', target: rest.startsWith('/') ? rest : `/${rest}`, form: 'path' };
  }
  const host = hostName(req);
  const internal = labelBelow(host, `${domains.region}.fcapp.localhost`);
  if (internal !== undefined) return { domainPrefix: internal, target, form: 'internal' };
  const domain = domains.baseDomain === undefined ? undefined : labelBelow(host, domains.baseDomain);
  return domain === undefined ? undefined : { domainPrefix: domain, target, form: 'domain' };
}

/** The Host header without its port, lower case. */
export function hostName(req: RequestHead): string {
  return (req.headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
}

function labelBelow(host: string, domain: string): string | undefined {
  if (!host.endsWith(`.${domain}`)) return undefined;
  const label = host.slice(0, -domain.length - 1);
  return LABEL.test(label) ? label : undefined;
}

/** True for peers on this machine or a private network: who may use a trigger whose internet URL is off. */
export function isPrivatePeer(address: string | undefined): boolean {
  if (address === undefined) return false;
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
  return (
    plain === '::1' ||
    /^(127\.|10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.)/.test(plain) ||
    /^(f[cd]|fe[89ab])/i.test(plain)
  );
}
