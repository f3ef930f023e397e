import { opsPath, type FcClient } from '../api/fc-client.ts';
import type { WarmShape } from '../api/fc-shapes.ts';
import { EXIT, Failure } from '../failure.ts';

/**
 * Starts one instance, so that an error in the function's own code shows now and not at the first call. Throws a Failure `LoadError` whose
 * details are the platform's answer.
 */
export async function awaitLoaded(client: FcClient, name: string, qualifier?: string): Promise<{ startMs: number }> {
  const since = performance.now();
  const answer = await client.call<WarmShape>('WarmFunction', 'POST', opsPath`/functions/${name}/warm`, {
    query: { qualifier },
  });
  if (answer.ok) return { startMs: performance.now() - since };
  const message = `${name} is deployed, but cannot start: ${answer.message ?? answer.kind ?? 'unknown reason'}`;
  const lines: string[] = [];
  if (answer.error !== undefined)
    lines.push(indented(typeof answer.error === 'string' ? answer.error : JSON.stringify(answer.error, null, 2)));
  const log = answer.startLog?.trim() ?? '';
  if (log !== '') lines.push('Its start log:', indented(log));
  throw new Failure(EXIT.failed, message, {
    code: 'LoadError',
    culprit: 'function',
    remedy: 'Correct the code and deploy again; calls fail until then.',
    details: answer,
    ...(lines.length === 0 ? {} : { explanation: lines.join('\n') }),
  });
}

function indented(text: string): string {
  return text.replace(/^/gm, '    ');
}
