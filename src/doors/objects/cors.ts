import type { ServerResponse } from 'node:http';
import type { ObjectsRequest } from './request.ts';

const EXPOSED =
  'ETag, Content-Length, Content-Range, Last-Modified, x-oss-request-id, x-oss-hash-crc64ecma, x-oss-object-type, ' +
  'x-amz-request-id';

/**
 * Pages of any origin may call: nothing here is granted by cookies or by where a browser is, only by signatures and public
 * acls, so the origin carries no rights.
 */
export function allowOrigin(request: ObjectsRequest, res: ServerResponse): void {
  if (request.header('origin') === undefined) return;
  res.setHeader('access-control-allow-origin', '*');
  res.setHeader('access-control-expose-headers', EXPOSED);
}

/** Answers a preflight: whatever the page wants to send may be sent. */
export function answerPreflight(request: ObjectsRequest, res: ServerResponse): void {
  const headers: Record<string, string> = {
    'access-control-allow-methods': 'GET, HEAD, PUT, POST, DELETE',
    'access-control-max-age': '3600',
    vary: 'Access-Control-Request-Headers',
    'content-length': '0',
  };
  const wanted = request.header('access-control-request-headers');
  if (wanted !== undefined) headers['access-control-allow-headers'] = wanted;
  res.writeHead(200, headers);
  res.end();
}
