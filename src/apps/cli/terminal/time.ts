import { usage } from '../failure.ts';
import { parseDuration } from './text.ts';

/** Milliseconds since the epoch, as text, of an option that says how long ago or which time. */
export function timeOf(option: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const ago = parseDuration(text);
  if (ago !== undefined) return String(Math.round(Date.now() - ago));
  const time = Date.parse(text);
  if (!Number.isNaN(time)) return String(time);
  throw usage(`${option} ${text} is no time`, 'Write how long ago (30s, 10m, 2h, 1d) or an ISO 8601 time.');
}
