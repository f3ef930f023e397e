import type { IncomingMessage, ServerResponse } from 'node:http';
import { TidemillError } from '../../core/domain/errors.ts';
import { sendStream } from '../wire/answer.ts';
import { pathOf } from '../wire/query.ts';
import { CODE_PATH } from './code-links.ts';
import type { OperationContext } from './operation.ts';

/** Serves a stored package to whoever holds an unexpired link: exactly the bytes that were uploaded, without signing. */
export async function downloadCode(
  context: OperationContext,
  req: IncomingMessage,
  res: ServerResponse,
  requestId: string,
): Promise<void> {
  if (req.method !== 'GET' && req.method !== 'HEAD') {
    throw new TidemillError('PathNotSupported', `'${req.method ?? ''}' against '${CODE_PATH}' is not supported`);
  }
  const opened = context.links.open(pathOf(req.url ?? '').slice(CODE_PATH.length));
  if (typeof opened === 'string') {
    const what = opened === 'expired' ? 'This download link has expired' : 'This download link is not valid';
    throw new TidemillError('AccessDenied', what, { remedy: 'Call GetFunctionCode again for a fresh link.' });
  }
  const blob = await context.blobs.open(opened.blob);
  if (blob === undefined) {
    throw new TidemillError('AccessDenied', 'The package behind this link was deleted', {
      remedy: 'Call GetFunctionCode again for the code the function has now.',
    });
  }
  res.writeHead(200, {
    'content-type': 'application/zip',
    'content-length': blob.size,
    'content-disposition': 'attachment; filename="code.zip"',
    'x-fc-request-id': requestId,
  });
  if (req.method === 'HEAD') res.end();
  else await sendStream(res, blob.body);
}
