import type { IncomingMessage } from 'node:http';

/** Scheme, host with port, path with query. User names in a URL of a request are an error (RFC 9110 4.2.4) and stay one. */
const ABSOLUTE = /^https?:\/\/([^/?#@]+)([/?][^#]*)?$/i;

/**
 * Servers must accept `GET http://host/path` although clients only send it to proxies, and then take the host from there
 * instead of from the Host header (RFC 9112 3.2.2). Makes such a request the one that its path alone would be.
 */
export function toOriginForm(req: IncomingMessage): void {
  const { url } = req;
  if (url === undefined || url.startsWith('/')) return;
  const match = ABSOLUTE.exec(url);
  if (match === null) return;
  const [, host = '', rest = ''] = match;
  req.url = rest.startsWith('/') ? rest : `/${rest}`;
  req.headers.host = host;
  req.headersDistinct['host'] = [host];
  const { rawHeaders } = req;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() === 'host') rawHeaders[i + 1] = host;
  }
}
