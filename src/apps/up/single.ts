import { systemClock } from '../../adapters/clock-system/index.ts';
import { lockFolder } from '../../adapters/process-lock/index.ts';
import type { Disposable } from '../../core/base/disposable.ts';

/** A server whose supervisor was killed finishes its calls first, and holds its ports until then. */
const PREDECESSOR_PATIENCE_MS = 45_000;

/** Makes sure that a data folder is served once on this machine. Throws when another one serves it. */
export async function claimDataFolder(data: string): Promise<Disposable> {
  const lock = await lockFolder('up', data, systemClock, 0);
  if (lock === undefined) throw new Error(`another tidemill is serving ${data}`);
  const server = await lockFolder('server', data, systemClock, PREDECESSOR_PATIENCE_MS);
  if (server === undefined) throw new Error(`the server of an earlier tidemill still serves ${data}`);
  server.dispose();
  return lock;
}
